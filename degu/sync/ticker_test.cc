// After golang/go src/time/tick_test.go.
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/select.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/ticker.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>

namespace degu {
namespace {

using testing::code_of;
using testing::until;
using namespace std::chrono_literals;

// TestTicker, TestTickTimes: tick k does not come before its time.
TEST(Ticker, TicksAtTheMultiplesOfItsPeriod) {
  all_shapes([] {
    const TimePoint start = now();
    const Ticker ticker(500us);
    TimePoint last = start;
    for (int k = 1; k <= 5; ++k) {
      const TimePoint at = *ticker.chan().recv();
      EXPECT_GE(at, start + k * 500us);
      EXPECT_GT(at, last);
      last = at;
    }
  });
}

TEST(Ticker, KeepsOneTickForALateReceiver) {
  all_shapes([] {
    Ticker ticker(100us);
    const TimePoint start = now();
    until([&] { return now() - start > 2ms && ticker.chan().len() == 1; });
    const TimePoint kept = *ticker.chan().recv();
    EXPECT_LT(kept, *ticker.chan().recv());
  });
}

// TestTeardown, and the rule of Go 1.23.
TEST(Ticker, NothingArrivesAfterStop) {
  all_shapes([] {
    for (int i = 0; i < 20; ++i) {
      Ticker ticker(20us);
      if (i % 2 == 0) {
        EXPECT_TRUE(ticker.chan().recv());
      } else {
        until([&] { return ticker.chan().len() == 1; });
      }
      ticker.stop();
      EXPECT_EQ(select(recv(ticker.chan()), after(100us)), 1);
    }
  });
}

TEST(Ticker, ResetChangesThePeriod) {
  all_shapes([] {
    Ticker ticker(1h);
    const TimePoint start = now();
    ticker.reset(300us);
    EXPECT_GE(*ticker.chan().recv(), start + 300us);
    EXPECT_GE(*ticker.chan().recv(), start + 600us);
    until([&] { return ticker.chan().len() == 1; });
    ticker.reset(1h);
    EXPECT_FALSE(ticker.chan().try_recv());
    ticker.stop();
    ticker.reset(100us);
    EXPECT_TRUE(ticker.chan().recv());
  });
}

TEST(Ticker, RefusesPeriodsThatAreNotPositive) {
  run([] {
    EXPECT_EQ(code_of([] { const Ticker ticker(0ns); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([] { const Ticker ticker(-1s); }), Code::kInvalidArgument);
    Ticker ticker(1ms);
    EXPECT_EQ(code_of([&] { ticker.reset(0ns); }), Code::kInvalidArgument);
    EXPECT_TRUE(ticker.chan().recv());
    EXPECT_FALSE(tick(0ns));
    EXPECT_FALSE(tick(-1s));
  });
}

// TestOverflowPeriodRuntimeTimer.
TEST(Ticker, FarPeriodsDoNotOverflow) {
  run([] {
    const Ticker ticker(std::chrono::nanoseconds::max());
    EXPECT_EQ(select(recv(ticker.chan()), after(1ms)), 1);
  });
}

// TestMultiWakeupTicker.
TEST(Ticker, ManyFastOnes) {
  all_shapes([] {
    WaitGroup wg;
    for (int g = 0; g < 8; ++g) {
      wg.go([] {
        Ticker ticker(1us);
        for (int i = 0; i < 50; ++i) EXPECT_TRUE(ticker.chan().recv());
      });
    }
    wg.wait();
  });
}

TEST(Ticker, TickEndsWithItsLastHandle) {
  run([] {
    RecvChan<TimePoint> ticks = tick(100us);
    EXPECT_TRUE(ticks.recv());
    EXPECT_TRUE(ticks.recv());
    ticks = {};  // its memory is watched by LeakSanitizer: run() ends while nothing is armed
    sleep(1ms);
  });
}

}  // namespace
}  // namespace degu
