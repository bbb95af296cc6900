// After golang/x/sync semaphore_test.go.
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/semaphore.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace degu {
namespace {

using testing::until;
using namespace std::chrono_literals;

TEST(Semaphore, Weighted) {
  all_shapes([] {
    constexpr int kCapacity = 4;
    Semaphore semaphore(kCapacity);
    std::atomic<int64_t> held{0};
    WaitGroup wg;
    for (int g = 1; g <= 6; ++g) {
      wg.go([&, g] {
        const int64_t n = g % kCapacity + 1;
        for (int i = 0; i < 50; ++i) {
          const auto permit = semaphore.hold(n);
          EXPECT_LE(held.fetch_add(n) + n, kCapacity);
          if (i % 5 == 0) yield();
          held.fetch_sub(n);
        }
      });
    }
    wg.wait();
    EXPECT_EQ(semaphore.available(), kCapacity);
  });
}

TEST(Semaphore, TryAcquire) {
  run([] {
    Semaphore semaphore(2);
    std::vector<bool> tries;
    semaphore.acquire(1);
    EXPECT_TRUE(semaphore.try_acquire(1));
    EXPECT_FALSE(semaphore.try_acquire(1));
    EXPECT_TRUE(semaphore.try_acquire(0));
    semaphore.release(2);
    EXPECT_TRUE(semaphore.try_acquire(1));
    EXPECT_FALSE(semaphore.try_acquire(2));
    EXPECT_FALSE(semaphore.try_acquire_for(1ms, 2));
    EXPECT_FALSE(semaphore.has_waiters_for_test());
    semaphore.release();
  });
}

// DoesntBlockIfTooBig: a request that can never be served is refused, and stands in nobody's way.
TEST(Semaphore, RefusesWhatItCannotHave) {
  run([] {
    Semaphore semaphore(2);
    EXPECT_EQ(testing::code_of([&] { semaphore.acquire(3); }), Code::kInvalidArgument);
    semaphore.acquire(2);
    semaphore.release(2);
  });
}

TEST(Semaphore, LargeRequestsDoNotStarve) {
  all_shapes([] {
    constexpr int64_t kCapacity = 8;
    Semaphore semaphore(kCapacity);
    std::atomic<bool> stop{false};
    WaitGroup wg;
    for (int i = 0; i < 8; ++i) {
      wg.go([&] {
        while (!stop.load()) {
          const auto permit = semaphore.hold();
          yield();
        }
      });
    }
    for (int i = 0; i < 5; ++i) {
      semaphore.acquire(kCapacity);
      semaphore.release(kCapacity);
    }
    stop = true;
    wg.wait();
  });
}

// AllocCancelDoesntStarve: a cancelled large waiter at the front lets the small ones behind it in.
TEST(Semaphore, CancelledWaiterLetsTheNextIn) {
  all_shapes([] {
    Semaphore semaphore(10);
    semaphore.acquire(1);
    TaskGroup large;
    large.go([&] { semaphore.acquire(10); });
    until([&] { return semaphore.has_waiters_for_test(); });
    WaitGroup wg;
    wg.go([&] {
      semaphore.acquire(5);
      semaphore.release(5);
    });
    EXPECT_FALSE(semaphore.try_acquire(1));
    large.cancel();
    wg.wait();
    large.wait();
    semaphore.release(1);
    EXPECT_EQ(semaphore.available(), 10);
  });
}

TEST(Semaphore, CancelRacesWithRelease) {
  all_shapes([] {
    for (int round = 0; round < 50; ++round) {
      Semaphore semaphore(3);
      TaskGroup group;
      for (int i = 0; i < 6; ++i) {
        group.go([&, i] {
          const auto permit = semaphore.hold(i % 3 + 1);
          yield();
        });
      }
      if (round % 2 == 0) yield();
      group.cancel();
      group.wait();
      EXPECT_EQ(semaphore.available(), 3);
    }
  });
}

// Acquire: by context, a wait without an end, one that is cut short, and one that is served.
TEST(Semaphore, Acquire) {
  all_shapes([] {
    Semaphore semaphore(2);
    semaphore.acquire(1);
    semaphore.acquire(1);
    TaskGroup impatient;
    impatient.go([&] { EXPECT_THROW(semaphore.acquire(1), Cancelled); });
    until([&] { return semaphore.has_waiters_for_test(); });
    impatient.cancel();
    impatient.wait();
    EXPECT_FALSE(semaphore.has_waiters_for_test());
    EXPECT_FALSE(semaphore.try_acquire_for(1ms));
    semaphore.release(2);
    semaphore.acquire(0);
    semaphore.acquire(2);
    EXPECT_EQ(semaphore.available(), 0);
    semaphore.release(2);
    EXPECT_EQ(semaphore.available(), 2);
  });
}

// DoesntBlockIfTooBig, second part: the refused one does not hold up those that fit.
TEST(Semaphore, TooBigRequestsDoNotBlockOthers) {
  all_shapes([] {
    Semaphore semaphore(2);
    TaskGroup group;
    for (int i = 0; i < 3; ++i) {
      group.go([&] { EXPECT_EQ(testing::code_of([&] { semaphore.acquire(3); }), Code::kInvalidArgument); });
      group.go([&] {
        semaphore.acquire(2);
        yield();
        semaphore.release(2);
      });
    }
    group.wait();
    EXPECT_EQ(semaphore.available(), 2);
  });
}

// First come, first served: nobody overtakes, whatever the sizes.
TEST(Semaphore, ServesInOrder) {
  all_shapes([] {
    Semaphore semaphore(4);
    semaphore.acquire(4);
    std::vector<int> order;
    WaitGroup wg;
    for (int i = 0; i < 6; ++i) {
      const std::size_t before = semaphore.waiters_for_test();
      wg.go([&, i] {
        semaphore.acquire(i % 2 == 0 ? 4 : 3);  // no two fit together
        order.push_back(i);
        semaphore.release(i % 2 == 0 ? 4 : 3);
      });
      until([&] { return semaphore.waiters_for_test() == before + 1; });
    }
    semaphore.release(4);
    wg.wait();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5}));
  });
}

}  // namespace
}  // namespace degu
