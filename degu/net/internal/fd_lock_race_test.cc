// FdLock by seeds that force interleavings: whoever leaves last releases, once, and nobody is forgotten in the queue.
#include <degu/base/random.h>
#include <degu/base/time.h>
#include <degu/net/internal/fd_lock.h>
#include <degu/rt/race_point.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace degu::net::internal {
namespace {

constexpr uint64_t kSeeds = 2'000;

TEST(FdLockRace, CloseMeetsReadersWritersAndTheImpatient) {
  run({.procs = 4}, [] {
    for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
      rt::seed_race_points(seed);
      Random random(seed);
      FdLock lock;
      std::atomic<int> releases{0};
      int inside[2] = {0, 0};
      WaitGroup group;
      for (int i = 0; i < 4; ++i) {
        group.go([&, i, patience = random.below(3)] {
          const auto direction = i % 2 == 0 ? rt::Direction::kRead : rt::Direction::kWrite;
          for (int round = 0; round < 3; ++round) {
            const TimePoint deadline = patience == 0 ? kNever : now() + std::chrono::microseconds(patience);
            const FdLock::Entry entry = lock.lock(direction, deadline);
            releases += entry.release ? 1 : 0;
            if (entry.error != 0) continue;
            EXPECT_EQ(++inside[i % 2], 1);
            --inside[i % 2];
            releases += lock.unlock(direction) ? 1 : 0;
          }
        });
      }
      group.go([&] {
        if (lock.close()) releases += lock.drop_ref() ? 1 : 0;
      });
      group.wait();
      EXPECT_EQ(releases, 1) << "with seed " << seed;
      EXPECT_EQ(lock.users_for_test(), 0U) << "with seed " << seed;
    }
    rt::seed_race_points(0);
  });
}

}  // namespace
}  // namespace degu::net::internal
