// After golang/go src/sync/waitgroup_test.go.
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

namespace degu {
namespace {

TEST(WaitGroup, WaitsForAll) {
  all_shapes([] {
    WaitGroup wg;
    for (int round = 0; round < 5; ++round) {
      std::atomic<int> n{0};
      for (int i = 0; i < 20; ++i) {
        wg.go([&] {
          yield();
          n.fetch_add(1);
        });
      }
      wg.wait();
      EXPECT_EQ(n, 20);
    }
    wg.wait();
  });
}

TEST(WaitGroup, ManyWaiters) {
  all_shapes([] {
    WaitGroup wg;
    wg.add(2);
    WaitGroup waiters;
    std::atomic<int> through{0};
    for (int i = 0; i < 5; ++i) {
      waiters.go([&] {
        wg.wait();
        through.fetch_add(1);
      });
    }
    testing::until([&] { return wg.has_waiters_for_test(); });
    wg.done();
    yield();
    EXPECT_EQ(through, 0);
    wg.done();
    waiters.wait();
    EXPECT_EQ(through, 5);
  });
}

// Its life ends when wait() returns, while the last done() may still be inside.
TEST(WaitGroup, MayEndAsSoonAsWaitReturns) {
  all_shapes([] {
    for (int i = 0; i < 200; ++i) {
      auto wg = std::make_unique<WaitGroup>();
      WaitGroup* raw = wg.get();
      raw->add(2);
      go([raw] { raw->done(); });
      go([raw] { raw->done(); });
      raw->wait();
      wg.reset();
    }
  });
}

TEST(WaitGroup, InterruptedWaitThrowsAndTheDestructorWaits) {
  all_shapes([] {
    TaskGroup group;
    auto gate = make_chan<int>();
    std::atomic<bool> ended{false};
    std::atomic<bool> thrown{false};
    group.go([&] {
      WaitGroup wg;
      wg.go([&] {
        rt::shield(+1);
        gate.recv();
        ended = true;
        rt::shield(-1);
      });
      try {
        wg.wait();
      } catch (const Cancelled&) {
        thrown = true;
        throw;
      }
    });
    testing::until([&] { return testing::receiver_waits(gate); });
    group.cancel();
    testing::until([&] { return thrown.load(); });
    gate.close();
    group.wait();
    EXPECT_TRUE(ended);
  });
}

TEST(WaitGroup, DestroysWhatTheTaskCapturedBeforeDone) {
  all_shapes([] {
    WaitGroup wg;
    wg.go([counted = testing::Counted(1)] { yield(); });
    wg.wait();
    EXPECT_EQ(testing::Counted::alive, 0);
  });
}

// WaitGroupRace: two goroutines add to the sum before they are done, by every way they can meet wait().
TEST(WaitGroup, Race) {
  all_shapes([] {
    for (int i = 0; i < 200; ++i) {
      WaitGroup wg;
      std::atomic<int> n{0};
      for (int k = 0; k < 2; ++k) {
        wg.add(1);
        go([&] {
          n.fetch_add(1, std::memory_order_relaxed);
          wg.done();
        });
      }
      wg.wait();
      EXPECT_EQ(n.load(std::memory_order_relaxed), 2);
    }
  });
}

// What the goroutines wrote is seen after wait() without any other synchronisation.
TEST(WaitGroup, PassesOnWhatWasWritten) {
  all_shapes([] {
    int values[8] = {};
    WaitGroup wg;
    for (int& value : values) wg.go([&value] { value = 1; });
    wg.wait();
    for (int value : values) EXPECT_EQ(value, 1);
  });
}

}  // namespace
}  // namespace degu
