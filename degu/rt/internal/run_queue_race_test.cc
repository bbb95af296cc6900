// The run queue against its thieves, by seeds that force interleavings: every goroutine comes out exactly
// once.
#include <degu/base/random.h>
#include <degu/rt/internal/run_queue.h>
#include <degu/rt/race_point.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <thread>
#include <vector>

namespace degu::rt {
namespace {

constexpr uint64_t kSeeds = 10'000;
constexpr uintptr_t kItems = 40;

// A queue never looks into what it holds, so numbers stand for goroutines.
G* item(uintptr_t number) { return reinterpret_cast<G*>(number << 6U); }

struct Round {
  RunQueue queue;
  std::array<std::atomic<int>, kItems + 1> seen{};

  void take(G* g) { seen[reinterpret_cast<uintptr_t>(g) >> 6U].fetch_add(1, std::memory_order_relaxed); }
};

void own(Round& round, Random random) {
  uintptr_t next = 1;
  while (next <= kItems) {
    if (random.below(3) != 0) {
      ASSERT_TRUE(round.queue.push(item(next++)));
    } else if (G* g = round.queue.pop(); g != nullptr) {
      round.take(g);
    }
  }
  while (G* g = round.queue.pop()) round.take(g);
}

void steal(Round& round, Random random) {
  for (int attempts = 0; attempts < 12; ++attempts) {
    G* taken[RunQueue::kCapacity / 2];
    const uint32_t count = round.queue.steal(taken);
    for (uint32_t i = 0; i < count; ++i) round.take(taken[i]);
    for (uint32_t i = random.below(50); i != 0; --i) asm volatile("" ::: "memory");
  }
}

TEST(RunQueueRace, EveryGoroutineComesOutOnce) {
  constexpr int kThieves = 2;
  Round* round = nullptr;
  uint64_t seed = 0;
  bool stop = false;
  std::barrier sync(kThieves + 1);
  std::vector<std::thread> thieves;
  for (uint64_t t = 0; t < kThieves; ++t) {
    thieves.emplace_back([&, t] {
      while (true) {
        sync.arrive_and_wait();
        if (stop) return;
        steal(*round, Random(seed * 3 + t));
        sync.arrive_and_wait();
      }
    });
  }
  for (seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
    Round current;
    round = &current;
    seed_race_points(seed);
    sync.arrive_and_wait();
    own(current, Random(seed));
    sync.arrive_and_wait();
    while (G* g = current.queue.pop()) current.take(g);
    for (uintptr_t i = 1; i <= kItems; ++i)
      ASSERT_EQ(current.seen[i], 1) << "goroutine " << i << " seed " << seed;
  }
  stop = true;
  sync.arrive_and_wait();
  for (std::thread& thief : thieves) thief.join();
}

TEST(RunQueueRace, OverflowTakesHalfOrNothing) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    RunQueue queue;
    seed_race_points(seed);
    for (uintptr_t i = 0; i < RunQueue::kCapacity; ++i) ASSERT_TRUE(queue.push(item(i + 1)));
    ASSERT_FALSE(queue.push(item(999)));
    G* half[RunQueue::kCapacity / 2];
    ASSERT_TRUE(queue.take_half(half));
    EXPECT_EQ(half[0], item(1));
    EXPECT_EQ(queue.size(), RunQueue::kCapacity / 2);
    EXPECT_EQ(queue.pop(), item(RunQueue::kCapacity / 2 + 1));
  }
}

}  // namespace
}  // namespace degu::rt
