// After golang/go src/sync/cond_test.go.
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/cond.h>
#include <degu/sync/mutex.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace degu {
namespace {

using testing::until;
using namespace std::chrono_literals;

TEST(Cond, SignalWakesOneBroadcastAll) {
  all_shapes([] {
    Mutex mutex;
    Cond cond;
    int waiting = 0;
    std::atomic<int> awake{0};
    WaitGroup wg;
    for (int i = 0; i < 5; ++i) {
      wg.go([&] {
        std::unique_lock lock(mutex);
        ++waiting;
        cond.wait(lock);
        EXPECT_TRUE(lock.owns_lock());
        awake.fetch_add(1);
      });
    }
    until([&] {
      const std::lock_guard guard(mutex);
      return waiting == 5;
    });
    cond.signal();
    until([&] { return awake == 1; });
    cond.signal();
    until([&] { return awake == 2; });
    cond.broadcast();
    wg.wait();
    EXPECT_EQ(awake, 5);
    cond.signal();
    cond.broadcast();
  });
}

// SignalGenerations: first come, first woken.
TEST(Cond, SignalIsFifo) {
  all_shapes([] {
    Mutex mutex;
    Cond cond;
    int waiting = 0;
    std::vector<int> order;
    WaitGroup wg;
    for (int i = 0; i < 20; ++i) {
      wg.go([&, i] {
        const std::lock_guard guard(mutex);
        ++waiting;
        cond.wait(mutex);
        order.push_back(i);
      });
      until([&] {
        const std::lock_guard guard(mutex);
        return waiting == i + 1;
      });
    }
    for (std::size_t i = 0; i < 20; ++i) {
      cond.signal();
      until([&] {
        const std::lock_guard guard(mutex);
        return order.size() == i + 1;
      });
      EXPECT_EQ(order.back(), static_cast<int>(i));
    }
    wg.wait();
  });
}

// Race: a hand-over through one variable.
TEST(Cond, PassesTheTurn) {
  all_shapes([] {
    Mutex mutex;
    Cond cond;
    int turn = 0;
    WaitGroup wg;
    for (int me = 0; me < 3; ++me) {
      wg.go([&, me] {
        for (int i = 0; i < 50; ++i) {
          std::unique_lock lock(mutex);
          cond.wait(lock, [&] { return turn % 3 == me; });
          ++turn;
          cond.broadcast();
        }
      });
    }
    wg.wait();
    EXPECT_EQ(turn, 150);
  });
}

// SignalStealing: who comes after the signal does not get it; it belongs to the one that waited, though it is still on
// its way.
TEST(Cond, LateComersDoNotStealTheSignal) {
  all_shapes([] {
    for (int round = 0; round < 100; ++round) {
      Mutex mutex;
      Cond cond;
      bool done = false;
      WaitGroup wg;
      std::atomic<bool> first_woken{false};
      wg.go([&] {
        std::unique_lock lock(mutex);
        cond.wait(lock);
        first_woken = true;
      });
      until([&] { return cond.has_waiters_for_test(); });
      // Signals while somebody else queues up behind the first.
      wg.go([&] { cond.signal(); });
      wg.go([&] {
        std::unique_lock lock(mutex);
        while (!done) cond.wait(lock);
      });
      until([&] { return first_woken.load(); });
      {
        const std::lock_guard guard(mutex);
        done = true;
      }
      cond.broadcast();
      wg.wait();
    }
  });
}

// SignalStealing, for interruption: a signal that meets a cancelled waiter reaches the next one.
TEST(Cond, InterruptedWaiterDoesNotEatTheSignal) {
  all_shapes([] {
    for (int round = 0; round < 50; ++round) {
      Mutex mutex;
      Cond cond;
      bool ready = false;
      int waiting = 0;
      TaskGroup doomed;
      doomed.go([&] {
        std::unique_lock lock(mutex);
        ++waiting;
        try {
          cond.wait(lock);
        } catch (const Cancelled&) {
          EXPECT_TRUE(lock.owns_lock());
          throw;
        }
        cond.signal();  // woken after all: passes it on
      });
      until([&] {
        const std::lock_guard guard(mutex);
        return waiting == 1;
      });
      WaitGroup wg;
      wg.go([&] {
        std::unique_lock lock(mutex);
        ++waiting;
        cond.wait(lock, [&] { return ready; });
      });
      until([&] {
        const std::lock_guard guard(mutex);
        return waiting == 2;
      });
      {
        const std::lock_guard guard(mutex);
        ready = true;
      }
      wg.go([&] { doomed.cancel(); });
      cond.signal();
      wg.wait();
      doomed.wait();
    }
  });
}

TEST(Cond, WaitForGivesUp) {
  all_shapes([] {
    Mutex mutex;
    Cond cond;
    std::unique_lock lock(mutex);
    EXPECT_FALSE(cond.wait_for(lock, 1ms, [] { return false; }));
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_FALSE(cond.has_waiters_for_test());
    EXPECT_TRUE(cond.wait_for(lock, 1ms, [] { return true; }));
  });
}

}  // namespace
}  // namespace degu
