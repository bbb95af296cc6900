// After golang/go src/time/sleep_test.go (AfterFunc).
#include <degu/base/random.h>
#include <degu/rt/park.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/func_timer.h>
#include <degu/sync/select.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace degu {
namespace {

using testing::code_of;
using testing::Counted;
using testing::until;
using namespace std::chrono_literals;

// TestAfterFunc: a function that sets itself anew.
TEST(FuncTimer, RunsInAGoroutineOfItsOwn) {
  all_shapes([] {
    auto ids = make_chan<uint64_t>();
    std::function<void()> next;
    int left = 10;
    next = [&] {
      if (--left > 0) {
        after_func(0ns, next);
      }
      ids.send(goroutine_id());
    };
    after_func(0ns, next);
    for (int i = 0; i < 10; ++i) {
      const uint64_t id = *ids.recv();
      EXPECT_NE(id, 0u);
      EXPECT_NE(id, goroutine_id());
    }
    EXPECT_EQ(left, 0);
  });
}

TEST(FuncTimer, NeverEarly) {
  all_shapes([] {
    const TimePoint start = now();
    auto done = make_chan<TimePoint>();
    after_func(1ms, [&] { done.send(now()); });
    EXPECT_GE(*done.recv() - start, 1ms);
  });
}

// TestAfterFuncStarvation: two that keep waking each other do not keep timers from running, on one P either.
TEST(FuncTimer, PingPongDoesNotStarveIt) {
  all_shapes([] {
    std::atomic<bool> stop{false};
    auto a = make_chan<int>(1);
    auto b = make_chan<int>(1);
    auto play = [&stop](Chan<int> in, Chan<int> out) {
      while (!stop) {
        out.send(1);
        in.recv();
      }
      out.close();
    };
    WaitGroup wg;
    wg.go([&] {
      try {
        play(a, b);
      } catch (const Error&) {  // the other one has closed
      }
    });
    after_func(1ms, [&] { stop = true; });
    try {
      play(b, a);
    } catch (const Error&) {
    }
    wg.wait();
    EXPECT_TRUE(stop);
  });
}

// TestAfterStop
TEST(FuncTimer, StopPreventsTheRun) {
  all_shapes([] {
    std::atomic<int> runs{0};
    FuncTimer never = after_func(1h, [&] { runs.fetch_add(1); });
    EXPECT_TRUE(never.stop());
    EXPECT_FALSE(never.stop());
    FuncTimer soon = after_func(0ns, [&] { runs.fetch_add(1); });
    until([&] { return runs == 1; });
    EXPECT_FALSE(soon.stop());
    EXPECT_FALSE(soon.reset(0ns));
    until([&] { return runs == 2; });
    EXPECT_FALSE(soon.reset(1h));
    EXPECT_TRUE(soon.reset(0ns));
    until([&] { return runs == 3; });
  });
}

// TestStopResult, TestResetResult: it runs as often as it was set without being taken back.
TEST(FuncTimer, ExactlyOneOfRunAndStopped) {
  all_shapes([] {
    Random random(random_u64());
    std::atomic<int> runs{0};
    int stopped = 0;
    constexpr int kRounds = 300;
    for (int round = 0; round < kRounds; ++round) {
      FuncTimer timer = after_func(std::chrono::microseconds(random.below(10)), [&] { runs.fetch_add(1); });
      if (random.below(2) == 0) yield();
      if (round % 2 == 0) {
        stopped += timer.stop();
      } else {
        stopped += timer.reset(1h);
        EXPECT_TRUE(timer.stop());
      }
    }
    until([&] { return runs + stopped >= kRounds; });
    yield();
    EXPECT_EQ(runs + stopped, kRounds);
  });
}

// TestTimerStopStress: goroutines on all Ps start and stop each other's.
TEST(FuncTimer, StopStress) {
  all_shapes([] {
    auto timers = make_chan<FuncTimer>(16);
    WaitGroup wg;
    WaitGroup stoppers;
    for (int g = 0; g < 4; ++g) {
      wg.go([&] {
        for (int i = 0; i < 200; ++i)
          timers.send(after_func(1h, [] { ADD_FAILURE() << "stopped, but run"; }));
      });
      stoppers.go([&] {
        for (FuncTimer& timer : timers) EXPECT_TRUE(timer.stop());
      });
    }
    wg.wait();
    timers.close();
    stoppers.wait();
  });
}

TEST(FuncTimer, DroppingTheHandleChangesNothing) {
  all_shapes([] {
    auto done = make_chan<int>(1);
    {
      FuncTimer timer = after_func(100us, [done] { done.send(1); });
      const FuncTimer copy = timer;
      EXPECT_EQ(code_of([] { FuncTimer().reset(1s); }), Code::kFailedPrecondition);
      EXPECT_FALSE(FuncTimer().stop());
    }
    EXPECT_EQ(done.recv(), 1);
  });
}

TEST(FuncTimer, DestroysItsFunctionWhenNobodyCanRunIt) {
  all_shapes([] {
    {
      FuncTimer stopped = after_func(1h, [c = Counted(1)] { static_cast<void>(c); });
      EXPECT_EQ(Counted::alive, 1);
      EXPECT_TRUE(stopped.stop());
    }
    EXPECT_EQ(Counted::alive, 0);
    auto ran = make_chan<int>(1);
    after_func(0ns, [c = Counted(1), ran] { ran.send(c.value()); });
    ran.recv();
    until([] { return Counted::alive == 0; });
  });
}

TEST(FuncTimer, RunsInTheBackgroundContext) {
  all_shapes([] {
    auto done = make_chan<bool>(1);
    {
      TaskGroup group;
      group.go([&] {
        after_func(1ms, [&] { done.send(rt::current_context() == nullptr && !rt::interrupted()); });
      });
      group.wait();
    }
    EXPECT_EQ(done.recv(), true);
  });
}

// A million live ones: heaps stay right while half of them is stopped in another order.
TEST(FuncTimer, AMillionAtOnce) {
  run({.procs = 2}, [] {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr std::size_t kCount = 50'000;
#else
    constexpr std::size_t kCount = 1'000'000;
#endif
    std::vector<FuncTimer> timers;
    timers.reserve(kCount);
    std::atomic<std::size_t> runs{0};
    const TimePoint start = now() + 1h;
    for (std::size_t i = 0; i < kCount; ++i) {
      timers.push_back(
          after_func(start + std::chrono::nanoseconds((i * 7919) % kCount) - now(), [&] { ++runs; }));
    }
    for (std::size_t i = 0; i < kCount; i += 2) EXPECT_TRUE(timers[(i * 104'729) % kCount].stop());
    std::size_t pending = 0;
    for (FuncTimer& timer : timers) pending += timer.reset(2h);
    EXPECT_EQ(pending, kCount / 2);
    for (FuncTimer& timer : timers) EXPECT_TRUE(timer.stop());
    EXPECT_EQ(runs, 0u);
  });
}

TEST(FuncTimer, PendingOnesDieWithTheScheduler) {
  FuncTimer kept;
  run([&] {
    kept = after_func(1h, [c = Counted(1)] { static_cast<void>(c); });
    after_func(1h, [c = Counted(2)] { static_cast<void>(c); });
  });
  EXPECT_EQ(Counted::alive, 1);
  EXPECT_FALSE(kept.stop());
  kept = {};
  EXPECT_EQ(Counted::alive, 0);
  EXPECT_EQ(code_of([] { after_func(1s, [] {}); }), Code::kFailedPrecondition);
}

TEST(FuncTimer, ForeignThreadsUseIt) {
  run({.procs = 2}, [] {
    std::atomic<int> runs{0};
    std::thread thread([&] {
      const FuncTimer soon = after_func(10us, [&] { runs.fetch_add(1); });
      const FuncTimer late = after_func(1h, [&] { runs.fetch_add(100); });
      EXPECT_TRUE(late.stop());
      while (runs == 0) std::this_thread::yield();
    });
    blocking([&] { thread.join(); });
    EXPECT_EQ(runs, 1);
  });
}

}  // namespace
}  // namespace degu
