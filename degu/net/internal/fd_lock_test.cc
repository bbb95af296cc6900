// After Go's internal/poll/fd_mutex_test.go.
#include <degu/net/internal/fd_lock.h>
#include <degu/rt/cancel.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

namespace degu::net::internal {
namespace {

using rt::Direction;
using namespace std::chrono_literals;

constexpr Direction kBoth[] = {Direction::kRead, Direction::kWrite};

TEST(FdLock, LetsInOneReaderOneWriterAndAnyReference) {
  FdLock lock;
  EXPECT_TRUE(lock.add_ref());
  EXPECT_FALSE(lock.drop_ref());
  for (const Direction direction : kBoth) {
    EXPECT_EQ(lock.lock(direction, kNever).error, 0);
    EXPECT_TRUE(lock.add_ref());
    EXPECT_FALSE(lock.drop_ref());
  }
  for (const Direction direction : kBoth) {
    EXPECT_EQ(lock.lock(direction, now() + 1ms).error, ETIMEDOUT);
    EXPECT_FALSE(lock.unlock(direction));
    EXPECT_EQ(lock.lock(direction, kNever).error, 0);
    EXPECT_FALSE(lock.unlock(direction));
  }
  EXPECT_EQ(lock.users_for_test(), 0U);
}

TEST(FdLock, LetsNobodyInOnceClosed) {
  FdLock lock;
  EXPECT_TRUE(lock.close());
  EXPECT_TRUE(lock.drop_ref());
  EXPECT_FALSE(lock.close());
  EXPECT_FALSE(lock.add_ref());
  for (const Direction direction : kBoth) {
    const FdLock::Entry entry = lock.lock(direction, kNever);
    EXPECT_EQ(entry.error, EBADF);
    EXPECT_FALSE(entry.release);
  }
}

TEST(FdLock, TheLastToLeaveReleases) {
  FdLock lock;
  EXPECT_EQ(lock.lock(Direction::kRead, kNever).error, 0);
  EXPECT_TRUE(lock.add_ref());
  EXPECT_TRUE(lock.close());
  EXPECT_FALSE(lock.drop_ref());
  EXPECT_FALSE(lock.drop_ref());
  EXPECT_TRUE(lock.unlock(Direction::kRead));
}

TEST(FdLock, OwnerAndReleaseAgreeWhoFrees) {
  FdLock released_first;
  EXPECT_FALSE(released_first.released());
  EXPECT_TRUE(released_first.abandon());
  FdLock abandoned_first;
  EXPECT_FALSE(abandoned_first.abandon());
  EXPECT_TRUE(abandoned_first.released());
}

TEST(FdLock, CloseSendsWaitersAway) {
  all_shapes([] {
    for (const Direction direction : kBoth) {
      FdLock lock;
      EXPECT_EQ(lock.lock(direction, kNever).error, 0);
      constexpr uint64_t kWaiters = 4;
      std::atomic<int> releases{0};
      WaitGroup group;
      for (uint64_t i = 0; i < kWaiters; ++i) {
        group.go([&] {
          const FdLock::Entry entry = lock.lock(direction, kNever);
          EXPECT_EQ(entry.error, EBADF);
          releases += entry.release ? 1 : 0;
        });
      }
      while (lock.users_for_test() != 1 + kWaiters) yield();
      EXPECT_TRUE(lock.close());
      releases += lock.drop_ref() ? 1 : 0;
      releases += lock.unlock(direction) ? 1 : 0;
      group.wait();
      EXPECT_EQ(releases, 1);
    }
  });
}

TEST(FdLock, ContextEndsTheWaitForATurn) {
  run([] {
    FdLock lock;
    EXPECT_EQ(lock.lock(Direction::kRead, kNever).error, 0);
    const Ref<rt::CancelNode> node = rt::CancelNode::make(nullptr);
    rt::exchange_context(make_ref<rt::ContextBase>(node));
    go([node] { node->cancel(Code::kCancelled); });
    EXPECT_EQ(lock.lock(Direction::kRead, kNever).error, ECANCELED);
    rt::exchange_context(nullptr);
    EXPECT_FALSE(lock.unlock(Direction::kRead));
    EXPECT_EQ(lock.lock(Direction::kRead, kNever).error, 0);
    EXPECT_FALSE(lock.unlock(Direction::kRead));
  });
}

TEST(FdLockDeathTest, MisuseAborts) {
  EXPECT_DEATH(
      {
        FdLock lock;
        static_cast<void>(lock.drop_ref());
      },
      "nobody had entered");
  EXPECT_DEATH(
      {
        FdLock lock;
        static_cast<void>(lock.unlock(Direction::kRead));
      },
      "not locked");
  EXPECT_DEATH(
      {
        FdLock lock;
        static_cast<void>(lock.lock(Direction::kRead, kNever));
        static_cast<void>(lock.unlock(Direction::kWrite));
      },
      "not locked");
}

TEST(FdLockDeathTest, TooManyCallsAbort) {
  EXPECT_DEATH(
      {
        FdLock lock;
        while (lock.add_ref()) {
        }
      },
      "more than 1048575 calls");
}

// Readers, writers and others enter and leave until it is closed; exactly one leaves last.
TEST(FdLock, Stress) {
  all_shapes([] {
    constexpr int kWorkers = 8;
    FdLock lock;
    std::atomic<int> releases{0};
    std::atomic<bool> released{false};
    std::atomic<int> rounds{0};
    uint64_t inside[2] = {0, 0};  // written by the one who holds the direction
    WaitGroup group;
    for (int i = 0; i < kWorkers; ++i) {
      group.go([&, i] {
        const auto leave = [&](bool last) {
          if (!last) return;
          releases.fetch_add(1);
          released = true;
        };
        for (int round = 0;; ++round) {
          rounds.fetch_add(1);
          if (round % 8 == 0) yield();
          if (i % 4 == 0) {
            if (!lock.add_ref()) return;
            EXPECT_FALSE(released);
            leave(lock.drop_ref());
            continue;
          }
          const Direction direction = kBoth[i % 2];
          const FdLock::Entry entry = lock.lock(direction, kNever);
          if (entry.error != 0) {
            EXPECT_EQ(entry.error, EBADF);
            leave(entry.release);
            return;
          }
          EXPECT_FALSE(released);
          uint64_t& mine = inside[i % 2];
          const uint64_t before = mine++;
          if (round % 16 == 3) yield();
          EXPECT_EQ(mine, before + 1);
          leave(lock.unlock(direction));
        }
      });
    }
    while (rounds < 5000) yield();
    EXPECT_TRUE(lock.close());
    if (lock.drop_ref()) releases.fetch_add(1);
    group.wait();
    EXPECT_EQ(releases, 1);
    EXPECT_EQ(lock.users_for_test(), 0U);
  });
}

}  // namespace
}  // namespace degu::net::internal
