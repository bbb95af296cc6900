// After golang/go src/time/sleep_test.go and tick_test.go (one-shot timers with a channel).
#include <degu/base/random.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/select.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/timer.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace degu {
namespace {

using testing::code_of;
using testing::receiver_waits;
using testing::until;
using namespace std::chrono_literals;

void until_fired(const Timer& timer) {
  until([&] { return timer.chan().len() == 1; });
}

bool nothing_there(const Timer& timer) { return !timer.chan().try_recv(); }

TEST(Timer, SendsTheTimeOnceAndNeverEarly) {
  all_shapes([] {
    const TimePoint start = now();
    const Timer timer(2ms);
    const std::optional<TimePoint> at = timer.chan().recv();
    ASSERT_TRUE(at);
    EXPECT_GE(*at - start, 2ms);
    EXPECT_LE(*at, now());
    EXPECT_EQ(select(recv(timer.chan()), after(2ms)), 1);
  });
}

// TestReset, TestStopResult by hand: each step is certain.
TEST(Timer, StopAndResetSayWhetherItWasPending) {
  all_shapes([] {
    Timer timer(1h);
    EXPECT_TRUE(timer.stop());
    EXPECT_FALSE(timer.stop());
    EXPECT_FALSE(timer.reset(1h));
    EXPECT_TRUE(timer.reset(0ns));
    EXPECT_TRUE(timer.chan().recv());
    EXPECT_FALSE(timer.stop());
    EXPECT_FALSE(timer.reset(-1h));
    EXPECT_TRUE(timer.chan().recv());
    EXPECT_FALSE(timer.reset(1h));
    EXPECT_TRUE(nothing_there(timer));
    EXPECT_TRUE(timer.stop());
  });
}

// TestChan of tick_test.go, asynctimerchan=0: no stale time, and a time nobody received counts as pending.
TEST(Timer, NoTimeFromBeforeStopOrResetIsReceived) {
  all_shapes([] {
    Timer timer(0ns);
    until_fired(timer);
    EXPECT_TRUE(timer.stop());
    EXPECT_TRUE(nothing_there(timer));
    EXPECT_FALSE(timer.stop());
    EXPECT_FALSE(timer.reset(0ns));
    until_fired(timer);
    EXPECT_TRUE(timer.reset(1h));
    EXPECT_TRUE(nothing_there(timer));
    EXPECT_TRUE(timer.reset(0ns));
    const TimePoint before = now();
    until_fired(timer);
    EXPECT_TRUE(timer.reset(1ms));
    EXPECT_GE(*timer.chan().recv(), before + 1ms);
  });
}

TEST(Timer, ResetReachesWhoWaitsAlready) {
  all_shapes([] {
    Timer timer(1h);
    WaitGroup wg;
    wg.go([&] { EXPECT_TRUE(timer.chan().recv()); });
    until([&] { return receiver_waits(timer.chan()); });
    EXPECT_TRUE(timer.reset(1us));
    wg.wait();
  });
}

// TestStopResult, TestResetResult (golang/go#69312): either the time is received or the call returns true.
TEST(Timer, ExactlyOneOfReceivedAndStopped) {
  all_shapes([] {
    Random random(random_u64());
    for (int round = 0; round < 200; ++round) {
      Timer timer(std::chrono::microseconds(random.below(20)));
      std::atomic<int> ends{0};
      auto gone = make_chan<int>();
      WaitGroup wg;
      wg.go([&] { select(recv(timer.chan(), [&] { ends.fetch_add(1); }), recv(gone)); });
      if (random.below(2) == 0) yield();
      const bool stopped = round % 2 == 0 ? timer.stop() : timer.reset(1h);
      if (stopped) ends.fetch_add(1);
      if (!stopped) until([&] { return ends == 1; });
      gone.close();
      wg.wait();
      EXPECT_EQ(ends, 1);
      EXPECT_TRUE(nothing_there(timer));
    }
  });
}

// TestTimerModifiedEarlier (golang/go#47329).
TEST(Timer, MadeEarlierItFiresAtOnce) {
  all_shapes([] {
    for (int i = 0; i < 200; ++i) {
      Timer timer(1h);
      EXPECT_TRUE(timer.reset(-24h));
      EXPECT_TRUE(timer.chan().recv());
    }
  });
}

// TestAdjustTimers (golang/go#47762): timers made, moved and stopped at random by several goroutines.
TEST(Timer, MovedAtRandomTheyAllFire) {
  all_shapes([] {
    WaitGroup wg;
    for (uint64_t g = 0; g < 4; ++g) {
      wg.go([seed = random_u64() + g] {
        Random random(seed);
        std::vector<Timer> timers;
        for (int i = 0; i < 300; ++i) {
          switch (random.below(4)) {
            case 0:
              timers.emplace_back(std::chrono::microseconds(random.below(3000)));
              break;
            case 1:
              if (!timers.empty()) {
                timers[random.below(static_cast<uint32_t>(timers.size()))].reset(
                    std::chrono::microseconds(random.below(3000)));
              }
              break;
            case 2:
              if (!timers.empty()) timers[random.below(static_cast<uint32_t>(timers.size()))].stop();
              break;
            default:
              if (!timers.empty()) {
                std::swap(timers[random.below(static_cast<uint32_t>(timers.size()))], timers.back());
                timers.pop_back();
              }
          }
        }
        for (Timer& timer : timers) timer.reset(std::chrono::microseconds(random.below(3000)));
        for (Timer& timer : timers) EXPECT_TRUE(timer.chan().recv());
      });
    }
    wg.wait();
  });
}

// TestZeroTimer, TestMultiWakeupTimer.
TEST(Timer, ZeroAndTinyDelaysFire) {
  all_shapes([] {
    WaitGroup wg;
    for (int g = 0; g < 4; ++g) {
      wg.go([g] {
        for (int i = 0; i < 200; ++i) {
          Timer timer(g * 1ns);
          EXPECT_TRUE(timer.chan().recv());
          timer.reset(0ns);
          EXPECT_TRUE(timer.chan().recv());
        }
      });
    }
    wg.wait();
  });
}

// TestOverflowSleep.
TEST(Timer, FarDelaysDoNotOverflow) {
  all_shapes([] {
    constexpr auto kForever = std::chrono::nanoseconds::max();
    Timer never(kForever);
    EXPECT_EQ(select(recv(never.chan()), after(kForever), after(1ms)), 2);
    EXPECT_TRUE(never.stop());
    Timer past(std::chrono::nanoseconds::min());
    EXPECT_TRUE(past.chan().recv());
    EXPECT_EQ(select(after(std::chrono::nanoseconds::min())), 0);
    sleep(std::chrono::nanoseconds::min());
  });
}

// time.After
TEST(Timer, AfterConvertsToAChannel) {
  all_shapes([] {
    const TimePoint start = now();
    const RecvChan<TimePoint> soon = after(1ms);
    const RecvChan<TimePoint> late = after(1h);
    EXPECT_EQ(select(recv(late), recv(soon, [&](TimePoint at) { EXPECT_GE(at - start, 1ms); })), 1);
  });
}

TEST(Timer, MovesAndStopsWithItsEnd) {
  all_shapes([] {
    RecvChan<TimePoint> chan;
    {
      Timer first(1ms);
      chan = first.chan();
      Timer second(std::move(first));
      EXPECT_TRUE(second.reset(1ms));
      second = Timer(1h);
    }
    EXPECT_EQ(select(recv(chan), after(3ms)), 1);
  });
}

TEST(Timer, ForeignThreadsUseIt) {
  run({.procs = 2}, [] {
    Timer timer(1h);
    std::thread thread([&] {
      EXPECT_TRUE(timer.reset(100us));
      EXPECT_TRUE(timer.chan().recv());
      Timer own(100us);
      EXPECT_TRUE(own.chan().recv());
      EXPECT_EQ(select(recv(timer.chan()), after(100us)), 1);
    });
    blocking([&] { thread.join(); });
  });
}

TEST(Timer, NeedsAScheduler) {
  EXPECT_EQ(code_of([] { const Timer timer(1ms); }), Code::kFailedPrecondition);
  std::optional<Timer> kept;
  run([&] { kept.emplace(1h); });
  EXPECT_FALSE(kept->stop());  // run() took it down
  EXPECT_EQ(code_of([&] { kept->reset(1ms); }), Code::kFailedPrecondition);
}

}  // namespace
}  // namespace degu
