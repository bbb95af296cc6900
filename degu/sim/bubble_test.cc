// Named after Go's internal/synctest tests.
#include <degu/base/error.h>
#include <degu/base/random.h>
#include <degu/context/cancel_scope.h>
#include <degu/rt/internal/switch.h>
#include <degu/rt/run.h>
#include <degu/sim/bubble.h>
#include <degu/sync/chan.h>
#include <degu/sync/cond.h>
#include <degu/sync/func_timer.h>
#include <degu/sync/mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/task_group.h>
#include <degu/sync/ticker.h>
#include <degu/sync/timer.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#ifdef DEGU_ASAN
#include <sanitizer/lsan_interface.h>
#endif

using namespace std::chrono_literals;

namespace degu {
namespace {

// With one, two and eight Ps.
template <class F>
void in_bubble(F body) {
  for (const int procs : {1, 2, 8}) {
    SCOPED_TRACE("procs=" + std::to_string(procs));
    run({.procs = procs}, [&] { sim::bubble([&] { body(); }); });
  }
}

TEST(Bubble, Now) {
  const TimePoint start{946'684'800s};
  in_bubble([&] {
    EXPECT_EQ(now(), start);
    go([&] {
      EXPECT_EQ(now(), start);
      sleep(1s);
      EXPECT_EQ(now(), start + 1s);
    });
    sleep(1s);
    EXPECT_EQ(now(), start + 1s);
    sleep(2s);
    EXPECT_EQ(now(), start + 3s);
  });
}

TEST(Bubble, MonotonicClock) {
  in_bubble([] {
    TimePoint last = now();
    for (int i = 0; i < 100; ++i) {
      sleep(std::chrono::nanoseconds(i));
      EXPECT_EQ(now() - last, std::chrono::nanoseconds(i));
      last = now();
    }
  });
  EXPECT_LE(std::chrono::abs(now() - real_now()), 60s);
}

TEST(Bubble, OthersKeepRealTime) {
  run({.procs = 2}, [] {
    auto done = make_chan<TimePoint>(1);
    go([=]() mutable {
      sim::bubble([] { sleep(24h); });
      done.send(now());
    });
    EXPECT_LE(std::chrono::abs(*done.recv() - real_now()), 60s);
  });
}

TEST(Bubble, Wait) {
  in_bubble([] {
    std::atomic<bool> done{false};
    auto never = make_chan<int>();
    auto start = make_chan<int>();
    go([&, start, never]() mutable {
      start.recv();
      sleep(0ns);
      for (int i = 0; i < 100; ++i) yield();
      done = true;
      never.recv();
    });
    sim::wait();
    EXPECT_FALSE(done);
    start.send(1);
    sim::wait();
    EXPECT_TRUE(done);
    never.close();
    const TimePoint before = now();
    WaitGroup wg;
    wg.go([] { sleep(1h); });
    sim::wait();  // does not wait for time
    EXPECT_EQ(now(), before);
    wg.wait();
  });
}

TEST(Bubble, WaitInTwoGoroutinesIsRefused) {
  in_bubble([] {
    WaitGroup wg;
    std::atomic<int> refused{0};
    auto hold = make_chan<int>();
    wg.go([&] {
      try {
        sim::wait();
      } catch (const Error&) {
        ++refused;
      }
    });
    wg.go([&] {
      try {
        sim::wait();
      } catch (const Error&) {
        ++refused;
      }
    });
    wg.wait();
    EXPECT_LE(refused, 1);
  });
  run([] { EXPECT_THROW(sim::wait(), Error); });
}

TEST(Bubble, TimerReadBeforeAndAfterDeadline) {
  in_bubble([] {
    auto result = make_chan<int>(2);
    auto never = make_chan<int>();
    select(recv(never, [](std::optional<int>) { ADD_FAILURE(); }), after(5s, [] {}));
    const TimePoint late = now();
    const CancelScope scope(5s);
    sleep(4s);
    EXPECT_FALSE(scope.context().done());
    EXPECT_THROW(sleep(4s), DeadlineExceeded);
    EXPECT_EQ(now() - late, 5s);
  });
}

TEST(Bubble, TimeAfter) {
  in_bubble([] {
    const TimePoint start = now();
    int i = 0;
    for (const auto delay : {3s, 1s, 2s}) {
      select(after(delay, [&] { ++i; }));
    }
    EXPECT_EQ(i, 3);
    EXPECT_EQ(now() - start, 6s);
  });
}

TEST(Bubble, TimerRunsImmediately) {
  in_bubble([] {
    const TimePoint start = now();
    select(after(0s, [] {}));
    sleep(0s);
    sleep(-1s);
    EXPECT_EQ(now(), start);
  });
}

TEST(Bubble, SleepersWakeInOrder) {
  in_bubble([] {
    std::vector<int> order;  // one is awake at a time
    WaitGroup wg;
    for (int i : {3, 1, 4, 2}) {
      wg.go([&, i] {
        sleep(std::chrono::milliseconds(i));
        order.push_back(i);
      });
    }
    wg.wait();
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
  });
}

TEST(Bubble, TimersFireInTheOrderOfTheirDeadlines) {
  in_bubble([] {
    constexpr uint32_t kTimers = 2'000;
    Random random(7);
    std::vector<uint32_t> set(kTimers);
    for (uint32_t i = 0; i < kTimers; ++i) std::swap(set[i] = i, set[random.below(i + 1)]);
    std::vector<uint32_t> fired;  // by one at a time
    for (const uint32_t i : set)
      after_func(std::chrono::nanoseconds(i + 1), [&fired, i] { fired.push_back(i); });
    sleep(1s);
    ASSERT_EQ(fired.size(), kTimers);
    for (uint32_t i = 0; i < kTimers; ++i) ASSERT_EQ(fired[i], i);
  });
}

TEST(Bubble, TimerReset) {
  in_bubble([] {
    const TimePoint start = now();
    Timer timer(1s);
    EXPECT_TRUE(timer.reset(5s));
    EXPECT_EQ(*timer.chan().recv(), start + 5s);
    EXPECT_FALSE(timer.reset(1s));
    EXPECT_EQ(*timer.chan().recv(), start + 6s);
    // The time of 7 s, which nobody has received, is taken back.
    EXPECT_FALSE(timer.reset(1s));
    sleep(2s);
    EXPECT_TRUE(timer.reset(3s));
    EXPECT_EQ(*timer.chan().recv(), start + 11s);
    EXPECT_FALSE(timer.reset(1s));
    EXPECT_TRUE(timer.stop());
    sleep(2s);
    EXPECT_FALSE(timer.chan().try_recv().has_value());
    EXPECT_EQ(now(), start + 13s);
  });
}

TEST(Bubble, TickersAndFunctionsAreReset) {
  in_bubble([] {
    const TimePoint start = now();
    Ticker ticker(1s);
    EXPECT_EQ(*ticker.chan().recv(), start + 1s);
    EXPECT_EQ(*ticker.chan().recv(), start + 2s);
    ticker.reset(10s);
    EXPECT_EQ(*ticker.chan().recv(), start + 12s);
    EXPECT_EQ(*ticker.chan().recv(), start + 22s);
    ticker.stop();
    auto ran = make_chan<TimePoint>(1);
    const FuncTimer later = after_func(1s, [ran] { ran.send(now()); });
    EXPECT_TRUE(later.reset(3s));
    EXPECT_EQ(*ran.recv(), start + 25s);
    EXPECT_FALSE(later.reset(2s));
    EXPECT_EQ(*ran.recv(), start + 27s);
  });
}

TEST(Bubble, TheWallClockGoesWithTheVirtualOne) {
  using Wall = std::chrono::system_clock;
  in_bubble([] {
    EXPECT_EQ(Wall::to_time_t(wall_now()), 946'684'800);
    sleep(24h);
    EXPECT_EQ(Wall::to_time_t(wall_now()), 946'684'800 + 24 * 3600);
  });
  EXPECT_GT(wall_now(), Wall::time_point(1'600'000'000s));
}

TEST(Bubble, SleepNondeterminism) {
  std::set<std::string> orders;
  run({.procs = 1}, [&] {
    for (int i = 0; i < 200; ++i) {
      std::string order;
      sim::bubble([&] {
        WaitGroup wg;
        for (const char name : {'a', 'b', 'c'}) {
          wg.go([&, name] {
            sleep(1s);
            order += name;
          });
        }
        wg.wait();
      });
      orders.insert(order);
    }
  });
  EXPECT_GE(orders.size(), 5U);
}

TEST(Bubble, ChannelFromOutsideBubble) {
  // Who waits for something outside is not blocked for ever, so time stands still.
  for (const int procs : {1, 2, 8}) {
    run({.procs = procs}, [] {
      auto outside = make_chan<int>();
      go([outside]() mutable {
        for (int i = 0; i < 10; ++i) yield();
        outside.send(1);
        outside.send(2);
        outside.close();
      });
      sim::bubble([&] {
        const TimePoint start = now();
        WaitGroup wg;
        wg.go([] { sleep(1h); });
        EXPECT_EQ(outside.recv(), 1);
        EXPECT_EQ(now(), start);
        select(recv(outside, [](std::optional<int> n) { EXPECT_EQ(n, 2); }),
               after(1h, [] { ADD_FAILURE(); }));
        EXPECT_EQ(now(), start);
        select(recv(outside, [](std::optional<int> n) { EXPECT_EQ(n, std::nullopt); }));
        wg.wait();
        EXPECT_EQ(now(), start + 1h);
      });
    });
  }
}

TEST(Bubble, ChannelMovedOutOfBubble) {
  run([] {
    auto ready = make_chan<Chan<int>>(1);
    auto checked = make_chan<int>();
    go([=]() mutable {
      Chan<int> theirs = *ready.recv();
      EXPECT_THROW(theirs.send(1), Error);
      EXPECT_THROW(theirs.recv(), Error);
      EXPECT_THROW(theirs.close(), Error);
      EXPECT_THROW(select(recv(theirs, [](std::optional<int>) {})), Error);
      checked.close();
    });
    sim::bubble([&] {
      auto mine = make_chan<int>(1);
      ready.send(mine);
      checked.recv();
      mine.send(1);
      EXPECT_EQ(mine.recv(), 1);
    });
  });
}

// The goroutines that are left keep what they have: LeakSanitizer is not to look at the thread that runs them, which ends
// with the run.
void allow_leaks() {
#ifdef DEGU_ASAN
  __lsan_disable();
#endif
}

void expect_deadlock(const char* text, UniqueFunction<void()> body) {
  run({.procs = 1}, [&] {
    allow_leaks();
    try {
      sim::bubble(std::move(body));
      ADD_FAILURE() << "no deadlock";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kAborted);
      EXPECT_NE(e.message().find(text), std::string::npos) << e.message();
    }
  });
}

TEST(Bubble, DeadlockRoot) {
  expect_deadlock("blocked for ever", [] { Chan<int>().recv(); });
  expect_deadlock("blocked for ever", [] { make_chan<int>().send(1); });
}

TEST(Bubble, DeadlockChild) {
  expect_deadlock("has returned", [] { go([] { make_chan<int>().recv(); }); });
}

TEST(Bubble, DeadlockTicker) {
  expect_deadlock("has returned", [] {
    go([] {
      for (;;) sleep(1s);
    });
  });
}

TEST(Bubble, Cond) {
  in_bubble([] {
    Mutex mutex;
    Cond cond;
    int state = 0;
    go([&] {
      std::unique_lock lock(mutex);
      while (state == 0) cond.wait(lock);
      state = 2;
    });
    sim::wait();
    {
      const std::lock_guard guard(mutex);
      state = 1;
    }
    cond.signal();
    sim::wait();
    const std::lock_guard guard(mutex);
    EXPECT_EQ(state, 2);
  });
}

TEST(Bubble, WaitGroup) {
  in_bubble([] {
    const TimePoint start = now();
    WaitGroup wg;
    for (int i = 1; i <= 10; ++i) wg.go([i] { sleep(std::chrono::seconds(i)); });
    wg.wait();
    EXPECT_EQ(now() - start, 10s);
  });
}

TEST(Bubble, MutexIsNotDurable) {
  in_bubble([] {
    Mutex mutex;
    const TimePoint start = now();
    mutex.lock();
    degu::WaitGroup wg;
    wg.go([&] {
      const std::lock_guard guard(mutex);
      EXPECT_EQ(now(), start);
    });
    while (!mutex.has_waiters_for_test()) yield();
    for (int i = 0; i < 100; ++i) yield();
    EXPECT_EQ(now(), start);
    mutex.unlock();
    wg.wait();
  });
}

TEST(Bubble, TasksAndTheirFailures) {
  in_bubble([] {
    const TimePoint start = now();
    TaskGroup group;
    group.go([] {
      sleep(10s);
      throw Error(Code::kUnavailable, "late");
    });
    group.go([] { sleep(24h); });
    EXPECT_THROW(group.wait(), Error);
    EXPECT_EQ(now() - start, 10s);
  });
  run([] {
    EXPECT_THROW(sim::bubble([] { throw Error(Code::kNotFound, "body"); }), Error);
    EXPECT_THROW(sim::bubble([] { sim::bubble([] {}); }), Error);
  });
}

TEST(Bubble, RunsASchedulerIfThereIsNone) {
  bool ran = false;
  sim::bubble([&] {
    sleep(1h);
    ran = true;
  });
  EXPECT_TRUE(ran);
}

TEST(Bubble, ManyGoroutinesAndTimersAtOnce) {
  for (const int procs : {1, 2, 8}) {
    run({.procs = procs}, [] {
      WaitGroup bubbles;
      for (int b = 0; b < 4; ++b) {
        bubbles.go([] {
          sim::bubble([] {
            const TimePoint start = now();
            std::atomic<int> sum{0};
            WaitGroup wg;
            for (int i = 0; i < 200; ++i) {
              wg.go([&, i] {
                for (int k = 0; k < 10; ++k) sleep(std::chrono::milliseconds(1 + (i * 7 + k) % 5));
                sum += i;
              });
            }
            wg.wait();
            EXPECT_EQ(sum, 199 * 100);
            EXPECT_LE(now() - start, 50ms);
          });
        });
      }
      bubbles.wait();
    });
  }
}

}  // namespace
}  // namespace degu
