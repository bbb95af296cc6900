#include <degu/base/error.h>
#include <degu/base/time.h>
#include <degu/rt/cancel.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace degu {
namespace {

using namespace std::chrono_literals;

TEST(Run, ReturnsWhatMainReturns) {
  EXPECT_EQ(run([] { return 7; }), 7);
  EXPECT_EQ(run([] {}), 0);
}

TEST(Run, RethrowsWhatMainThrows) {
  EXPECT_THROW(run([] { throw std::runtime_error("x"); }), std::runtime_error);
}

TEST(Run, AbandonsOtherGoroutines) {
  std::atomic<bool> up{false};
  std::atomic<bool> may_go_on{false};
  std::atomic<bool> went_on{false};
  run([&] {
    go([&] {
      up = true;
      while (!may_go_on) sleep(100us);
      went_on = true;
    });
    while (!up) yield();
  });
  may_go_on = true;
  run([] { sleep(5ms); });
  EXPECT_FALSE(went_on);
}

TEST(Go, RunsEveryGoroutineOnce) {
  all_shapes([] {
    constexpr int kCount = 2000;
    auto runs = std::make_unique<std::atomic<int>[]>(kCount);
    std::atomic<int> done{0};
    for (int i = 0; i < kCount; ++i) {
      go([&runs, &done, i] {
        runs[static_cast<std::size_t>(i)].fetch_add(1);
        if (i % 3 == 0) yield();
        done.fetch_add(1);
      });
    }
    while (done.load() != kCount) yield();
    for (int i = 0; i < kCount; ++i) EXPECT_EQ(runs[static_cast<std::size_t>(i)].load(), 1);
  });
}

// 256 wait in its queue, and perhaps as many on the way to a P that stands in for it.
TEST(Go, ALoopThatStartsManyLetsThemRun) {
  run({.procs = 1}, [] {
    constexpr int kStarted = 100'000;
    std::atomic<int> ended{0};
    int most_alive = 0;
    for (int i = 1; i <= kStarted; ++i) {
      go([&ended] { ended.fetch_add(1); });
      most_alive = std::max(most_alive, i - ended.load());
    }
    EXPECT_LE(most_alive, 2'000);
    while (ended != kStarted) yield();
  });
}

TEST(Go, InsideBlockingTheStarterKeepsItsThread) {
  run({.procs = 1}, [] {
    std::atomic<int> ran{0};
    blocking([&] {
      const auto thread = std::this_thread::get_id();
      for (int i = 0; i < 1'000; ++i) {
        go([&] { ran.fetch_add(1); });
        ASSERT_EQ(std::this_thread::get_id(), thread);
      }
    });
    while (ran != 1'000) yield();
  });
}

TEST(Go, IdsAreUniqueAndZeroOutside) {
  EXPECT_EQ(goroutine_id(), 0U);
  run([] {
    const uint64_t mine = goroutine_id();
    EXPECT_NE(mine, 0U);
    std::atomic<uint64_t> other{0};
    go([&] { other = goroutine_id(); });
    while (other == 0) yield();
    EXPECT_NE(other, mine);
  });
}

TEST(Go, UsesSeveralThreads) {
  run({.procs = 4}, [] {
    // Four goroutines that each wait for the other three can only finish in parallel.
    std::atomic<int> arrived{0};
    std::atomic<int> done{0};
    for (int i = 0; i < 4; ++i) {
      go([&] {
        arrived.fetch_add(1);
        while (arrived.load() != 4) std::this_thread::yield();
        done.fetch_add(1);
      });
    }
    while (done.load() != 4) sleep(1ms);  // parked, so that its P is free to take the last one
  });
}

TEST(Go, PairThatWakesEachOtherDoesNotStarveOthers) {
  run({.procs = 1}, [] {
    std::atomic<bool> stop{false};
    std::atomic<int> hops{0};
    struct Hop {
      std::atomic<bool>& stop;
      std::atomic<int>& hops;
      void operator()() const {
        hops.fetch_add(1);
        if (!stop) go(Hop{stop, hops});  // each start goes into runnext
      }
    };
    go(Hop{stop, hops});
    bool other_ran = false;
    go([&] { other_ran = true; });
    while (!other_ran) yield();
    stop = true;
    const int seen = hops;
    while (hops == seen) yield();
  });
}

// In which order they go on is not promised: each sleeps from when it first ran, and several that are due at once are
// run by any P. Where time is virtual it is: Bubble.SleepersWakeInOrder.
TEST(Sleep, LastsAtLeastAsLong) {
  all_shapes([] {
    std::atomic<int> done{0};
    for (int i : {3, 1, 2}) {
      go([&, i] {
        const TimePoint start = now();
        sleep(i * 5ms);
        EXPECT_GE(now() - start, i * 5ms);
        done.fetch_add(1);
      });
    }
    while (done != 3) sleep(1ms);
  });
}

TEST(Sleep, ZeroAndNegativeReturn) {
  run([] {
    sleep(0ns);
    sleep(-1s);
  });
}

// time.TestSleepZeroDeadlock
TEST(Sleep, ZeroInAllGoroutinesDoesNotHang) {
  all_shapes([] {
    std::atomic<int> done{0};
    for (int g = 0; g < 4; ++g) {
      go([&] {
        for (int i = 0; i < 100; ++i) sleep(0ns);
        done.fetch_add(1);
      });
    }
    while (done != 4) sleep(0ns);
  });
}

TEST(Blocking, LetsOthersRun) {
  run({.procs = 1}, [] {
    std::atomic<bool> other_ran{false};
    go([&] { other_ran = true; });
    const int result = blocking([&] {
      while (!other_ran) std::this_thread::yield();  // only ends if another thread runs the P
      return 5;
    });
    EXPECT_EQ(result, 5);
  });
}

TEST(Blocking, ManyAtOnce) {
  run({.procs = 2}, [] {
    std::atomic<int> inside{0};
    std::atomic<int> done{0};
    for (int i = 0; i < 16; ++i) {
      go([&] {
        blocking([&] {
          inside.fetch_add(1);
          while (inside.load() < 16) std::this_thread::yield();
        });
        done.fetch_add(1);
      });
    }
    while (done.load() != 16) sleep(1ms);
  });
}

TEST(Blocking, PassesExceptions) {
  run([] { EXPECT_THROW(blocking([]() -> int { throw Error(Code::kInternal, "x"); }), Error); });
  EXPECT_EQ(blocking([] { return 3; }), 3);  // on a foreign thread
}

TEST(WithStack, RunsDeepCallsAndPassesExceptions) {
  run([] {
    const auto deep = [] {
      volatile char frame[4 * 1024 * 1024];
      frame[0] = 1;
      frame[sizeof frame - 1] = 2;
      yield();
      return frame[0] + frame[sizeof frame - 1];
    };
    EXPECT_EQ(with_stack(6 * 1024 * 1024, deep), 3);
    EXPECT_THROW(with_stack(64 * 1024, [] { throw Error(Code::kAborted, "x"); }), Error);
    yield();
  });
}

TEST(Exceptions, SuspendInsideCatch) {
  all_shapes([] {
    std::atomic<int> done{0};
    for (int i = 0; i < 50; ++i) {
      go([&, i] {
        try {
          throw std::runtime_error(std::to_string(i));
        } catch (const std::exception& e) {
          for (int k = 0; k < 5; ++k) yield();
          try {
            throw std::runtime_error("inner");
          } catch (const std::exception&) {
            yield();
          }
          EXPECT_EQ(e.what(), std::to_string(i));
          try {
            yield();
            throw;
          } catch (const std::runtime_error& again) {
            EXPECT_EQ(again.what(), std::to_string(i));
          }
        }
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        done.fetch_add(1);
      });
    }
    while (done != 50) yield();
  });
}

TEST(Exceptions, WaitsDuringUnwindingAreShielded) {
  run([] {
    Ref<rt::CancelNode> node = rt::CancelNode::make(nullptr);
    Ref<rt::ContextBase> context = make_ref<rt::ContextBase>(node);
    Ref<rt::ContextBase> outer = rt::exchange_context(context);
    bool slept = false;
    struct Cleanup {
      bool& slept;
      ~Cleanup() {
        sleep(1ms);  // would throw, and end the process, if it observed the context
        slept = true;
      }
    };
    node->cancel(Code::kCancelled);
    try {
      const Cleanup cleanup{slept};
      sleep(1h);
    } catch (const Cancelled&) {
      EXPECT_TRUE(slept);
    }
    EXPECT_THROW(sleep(1ms), Cancelled);
    rt::exchange_context(outer);
  });
}

using RunDeathTest = ::testing::Test;

TEST(RunDeathTest, UncaughtExceptionEndsTheProcessWithItsStack) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([] {
                 go({.name = "worker"}, [] { throw Error(Code::kInternal, "broken pipe dream"); });
                 sleep(1min);
               }),
               "uncaught exception degu::Error: INTERNAL: broken pipe dream(.|\n)*goroutine [0-9]+ worker");
}

int recurse(int depth) {
  volatile char frame[1024];
  frame[0] = static_cast<char>(depth);
  return depth == 0 ? 0 : recurse(depth - 1) + frame[0];
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(RunDeathTest, StackOverflowSaysWhichGoroutine) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run([] {
                 go({.name = "deep"}, [] { recurse(1 << 20); });
                 sleep(1min);
               }),
               "stack overflow in goroutine [0-9]+ deep: its stack of 256 KiB");
}
#endif

TEST(RunDeathTest, AllAsleepIsReported) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run([] {
                rt::begin_wait(rt::Interrupt::kIgnore);
                rt::park(rt::WaitReason::kChanRecv, nullptr);
              }),
              ::testing::ExitedWithCode(2),
              "all goroutines are asleep - deadlock!(.|\n)*goroutine [0-9]+ main .chan receive");
}

TEST(ForeignThread, StartsAndWakesGoroutines) {
  run([] {
    std::atomic<int> done{0};
    std::thread thread([&] {
      for (int i = 0; i < 100; ++i) go([&] { done.fetch_add(1); });
    });
    while (done != 100) sleep(1ms);
    blocking([&] { thread.join(); });
  });
}

}  // namespace
}  // namespace degu
