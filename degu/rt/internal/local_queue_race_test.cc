// The local queue against its thieves, by seeds that force interleavings: every goroutine comes out exactly
// once.
#include <degu/base/random.h>
#include <degu/rt/internal/local_queue.h>
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
  LocalQueue queue;
  std::array<std::atomic<int>, kItems + 1> seen{};

  void take(G* g) { seen[reinterpret_cast<uintptr_t>(g) >> 6U].fetch_add(1, std::memory_order_relaxed); }
};

bool push(LocalQueue& queue, G* g, uint64_t part) {
  if (part == 0) return queue.push_next(g);
  if (part == 1) return queue.push_ready(g);
  return part == 2 ? queue.push_yielded(g) : queue.push_fresh(g);
}

void own(Round& round, Random random) {
  uintptr_t next = 1;
  while (next <= kItems) {
    if (random.below(3) != 0) {
      ASSERT_TRUE(push(round.queue, item(next++), random.below(4)));
    } else if (G* g = round.queue.take(); g != nullptr) {
      round.take(g);
    }
  }
  while (G* g = round.queue.take()) round.take(g);
}

void steal(Round& round, Random random) {
  for (int attempts = 0; attempts < 12; ++attempts) {
    G* taken[LocalQueue::kMaxStolen];
    const uint32_t count = round.queue.steal(taken);
    for (uint32_t i = 0; i < count; ++i) round.take(taken[i]);
    for (uint32_t i = random.below(50); i != 0; --i) asm volatile("" ::: "memory");
  }
}

TEST(LocalQueueRace, EveryGoroutineComesOutOnce) {
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
    while (G* g = current.queue.take()) current.take(g);
    for (uintptr_t i = 1; i <= kItems; ++i)
      ASSERT_EQ(current.seen[i], 1) << "goroutine " << i << " seed " << seed;
  }
  stop = true;
  sync.arrive_and_wait();
  for (std::thread& thief : thieves) thief.join();
}

TEST(LocalQueue, ShedsTheOlderHalfOfAFullPart) {
  LocalQueue queue;
  G* shed[LocalQueue::kMaxStolen];
  EXPECT_EQ(queue.shed(shed), 0U);
  for (uintptr_t i = 1; i <= LocalQueue::kCapacity; ++i) ASSERT_TRUE(queue.push_ready(item(i)));
  ASSERT_FALSE(queue.push_ready(item(999)));
  ASSERT_EQ(queue.shed(shed), LocalQueue::kHalf);
  EXPECT_EQ(shed[0], item(1));
  EXPECT_EQ(shed[LocalQueue::kHalf - 1], item(LocalQueue::kHalf));
  ASSERT_TRUE(queue.push_ready(item(999)));
  EXPECT_EQ(queue.size(), LocalQueue::kHalf + 1);
  EXPECT_EQ(queue.take(), item(LocalQueue::kHalf + 1));
}

TEST(LocalQueue, FreshOnesRunNewestFirst) {
  LocalQueue queue;
  EXPECT_EQ(queue.take_oldest_fresh(), nullptr);
  for (const uintptr_t i : {1u, 2u, 3u}) queue.push_fresh(item(i));
  EXPECT_EQ(queue.take_oldest_fresh(), item(1));
  EXPECT_EQ(queue.take(), item(3));
  EXPECT_EQ(queue.take(), item(2));
}

TEST(LocalQueue, FreshOnesRunAlthoughOthersAreWokenAllTheTime) {
  LocalQueue queue;
  queue.push_fresh(item(1));
  bool ran = false;
  for (uintptr_t i = 2; i <= 2 + LocalQueue::kTurnEvery; ++i) {
    queue.push_ready(item(i));
    ran = ran || queue.take() == item(1);
  }
  EXPECT_TRUE(ran);
}

TEST(LocalQueue, WhoYieldsLetsAllOthersGoFirstButIsNotForgotten) {
  LocalQueue queue;
  queue.push_yielded(item(1));
  queue.push_fresh(item(2));
  queue.push_ready(item(3));
  queue.push_next(item(4));
  for (const uintptr_t expected : {4u, 3u, 2u, 1u}) EXPECT_EQ(queue.take(), item(expected));
  queue.push_yielded(item(1));
  bool ran = false;
  for (uintptr_t i = 2; i <= 2 + LocalQueue::kTurnEvery; ++i) {
    queue.push_ready(item(i));
    ran = ran || queue.take() == item(1);
  }
  EXPECT_TRUE(ran);
}

TEST(LocalQueue, APairThatWakesEachOtherLetsOthersRun) {
  LocalQueue queue;
  queue.push_ready(item(1));
  bool ran = false;
  for (uintptr_t i = 2; i < 4 + LocalQueue::kMaxStreak; ++i) {
    queue.push_next(item(i));
    ran = ran || queue.take() == item(1);
  }
  EXPECT_TRUE(ran);
}

TEST(LocalQueue, SaysWhatHasWaitedSinceAMark) {
  LocalQueue queue;
  queue.push_fresh(item(1));
  const LocalQueue::Mark mark = queue.mark();
  EXPECT_TRUE(queue.waits_since(mark));
  queue.take();
  queue.push_fresh(item(2));
  EXPECT_FALSE(queue.waits_since(mark));
}

}  // namespace
}  // namespace degu::rt
