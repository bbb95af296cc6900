#include <degu/base/fault_point.h>
#include <degu/base/random.h>
#include <degu/context/after_func.h>
#include <degu/context/cancel_scope.h>
#include <degu/rt/run.h>
#include <degu/sim/sim.h>
#include <degu/sync/chan.h>
#include <degu/sync/func_timer.h>
#include <degu/sync/mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/ticker.h>
#include <degu/sync/timer.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace degu {
namespace {

// A program in which the schedule, the clock, select and random numbers all show.
std::string everything(const sim::Options& options, sim::Result* result = nullptr) {
  std::string trace;
  const sim::Result ran = sim::run(options, [&] {
    auto numbers = make_chan<int>(2);
    auto words = make_chan<char>();
    Mutex mutex;
    WaitGroup wg;
    for (int id = 0; id < 3; ++id) {
      wg.go([&, id] {
        for (int i = 0; i < 3; ++i) {
          sleep(std::chrono::milliseconds(random_u64() % 3));
          if (id == 0) words.send(static_cast<char>('a' + i));
          if (id != 0) numbers.send(id * 10 + i);
          const std::lock_guard guard(mutex);
          trace += std::to_string(goroutine_id()) + '@' +
                   std::to_string(now().time_since_epoch().count() % 1'000'000'000) + ' ';
        }
      });
    }
    for (int i = 0; i < 9; ++i) {
      select(recv(numbers, [&](std::optional<int> n) { trace += std::to_string(*n) + ' '; }),
             recv(words, [&](std::optional<char> w) { trace += *w; }));
    }
    wg.wait();
  });
  EXPECT_TRUE(ran.ok()) << ran.report();
  if (result != nullptr) *result = ran;
  return trace;
}

TEST(Simulation, TheSameSeedIsTheSameRun) {
  std::set<std::string> different;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    sim::Result first;
    sim::Result second;
    const std::string trace = everything({.seed = seed}, &first);
    EXPECT_EQ(trace, everything({.seed = seed}, &second)) << "seed " << seed;
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
    EXPECT_EQ(first.steps, second.steps) << "seed " << seed;
    different.insert(trace);
  }
  EXPECT_GT(different.size(), 35U);
}

TEST(Simulation, EveryScheduleRepeats) {
  for (const sim::Schedule schedule :
       {sim::Schedule::kRandomWalk, sim::Schedule::kPriorities, sim::Schedule::kPartialOrder}) {
    std::set<std::string> different;
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      const std::string trace = everything({.seed = seed, .schedule = schedule});
      EXPECT_EQ(trace, everything({.seed = seed, .schedule = schedule}));
      different.insert(trace);
    }
    EXPECT_GT(different.size(), 5U);
  }
}

TEST(Simulation, TimeIsVirtualAndStartsAtTheSameInstant) {
  for (int i = 0; i < 2; ++i) {
    const sim::Result result = sim::run({}, [] {
      EXPECT_EQ(now().time_since_epoch(), 946'684'800s);
      sleep(24h);
      EXPECT_EQ(now().time_since_epoch(), 946'684'800s + 24h);
      const CancelScope scope(1h);
      EXPECT_THROW(sleep(2h), DeadlineExceeded);
      EXPECT_EQ(now().time_since_epoch(), 946'684'800s + 25h);
    });
    EXPECT_TRUE(result.ok()) << result.report();
    EXPECT_EQ(result.elapsed, 25h);
  }
}

TEST(Simulation, TheClockIsRealAgainAfterwards) {
  EXPECT_TRUE(sim::run({}, [] { sleep(1h); }).ok());
  EXPECT_LE(std::chrono::abs(now() - real_now()), 60s);
}

TEST(Simulation, TimersOfOneInstantFireInAnyOrder) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::string order;
    EXPECT_TRUE(sim::run({.seed = seed}, [&] {
                  WaitGroup wg;
                  for (const char name : {'a', 'b', 'c'}) {
                    wg.go([&, name] {
                      sleep(1s);
                      order += name;
                    });
                  }
                  wg.wait();
                }).ok());
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6U);
}

TEST(Simulation, TheWallClockGoesWithTheVirtualOne) {
  EXPECT_TRUE(sim::run({}, [] {
                sleep(1h);
                EXPECT_EQ(std::chrono::system_clock::to_time_t(wall_now()), 946'684'800 + 3600);
              }).ok());
  EXPECT_GT(wall_now(), std::chrono::system_clock::time_point(1'600'000'000s));
}

TEST(Simulation, AGoroutineMayRunBeforeItsStarterGoesOn) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    std::string order;
    EXPECT_TRUE(sim::run({.seed = seed}, [&] {
                  WaitGroup wg;
                  wg.add(1);
                  go([&] {
                    order += 'b';
                    wg.done();
                  });
                  order += 'a';
                  wg.wait();
                }).ok());
    orders.insert(order);
  }
  EXPECT_EQ(orders, (std::set<std::string>{"ab", "ba"}));
}

TEST(Simulation, OthersMayRunBeforeATimerIsSet) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::string order;
    EXPECT_TRUE(sim::run({.seed = seed}, [&] {
                  WaitGroup wg;
                  wg.go([&] { order += 'b'; });
                  const bool before = !order.empty();
                  const FuncTimer timer = after_func(1s, [] {});
                  if (!before) order += 'a';
                  wg.wait();
                }).ok());
    orders.insert(order);
  }
  // "b": it has run at go(); "ba": at after_func().
  EXPECT_EQ(orders, (std::set<std::string>{"ab", "b", "ba"}));
}

// No lock of the runtime is held where another one may run: all would hang.
TEST(Simulation, TimersAndContextsAreSharedBetweenGoroutines) {
  const sim::Result result = sim::search({.seeds = 200, .max_steps = 20'000}, [] {
    Timer timer(1ms);
    Ticker ticker(2ms);
    auto [context, cancel] = with_cancel(Context::background());
    const AfterFunc first = after_func(context, [] {});
    const AfterFunc second = after_func(context, [] {});
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.go([&] {
        for (int k = 0; k < 4; ++k) {
          timer.reset(std::chrono::milliseconds(random_u64() % 3));
          sleep(std::chrono::milliseconds(random_u64() % 3));
          timer.stop();
          ticker.reset(1ms);
          static_cast<void>(ticker.chan().try_recv());
        }
        cancel();
      });
    }
    wg.wait();
    ticker.stop();
  });
  EXPECT_TRUE(result.ok()) << result.report();
}

TEST(Simulation, ADeadlockFailsTheRunWithAllGoroutines) {
  const sim::Result result = sim::run({}, [] {
    auto never = make_chan<int>();
    go({.name = "stuck-sender"}, [never]() mutable { never.send(1); });
    auto other = make_chan<int>();
    other.recv();
  });
  EXPECT_FALSE(result.ok());
  EXPECT_NE(result.failure.find("all goroutines are asleep"), std::string::npos) << result.failure;
  EXPECT_NE(result.failure.find("stuck-sender"), std::string::npos) << result.failure;
  EXPECT_NE(result.report().find("DEGU_SIM_SEED=1 make test-sim"), std::string::npos) << result.report();
  // ... and not the process, nor the next run.
  EXPECT_TRUE(sim::run({}, [] { sleep(1s); }).ok());
}

TEST(Simulation, AnExceptionOfAnyGoroutineFailsTheRun) {
  const sim::Result of_main = sim::run({}, [] { throw Error(Code::kNotFound, "main"); });
  EXPECT_EQ(of_main.failure, "NOT_FOUND: main");
  bool went_on = false;
  const sim::Result of_child = sim::run({}, [&] {
    go([] { throw Error(Code::kAborted, "child"); });
    sleep(1s);
    went_on = true;
  });
  EXPECT_EQ(of_child.failure, "ABORTED: child");
  EXPECT_THROW(std::rethrow_exception(of_child.error), Error);
  EXPECT_FALSE(went_on);
  EXPECT_FALSE(sim::run({}, [] { sim::expect(1 + 1 == 3, "sums"); }).ok());
}

TEST(Simulation, AnEndlessLoopFailsTheRun) {
  const sim::Result result = sim::run({.max_steps = 1000}, [] {
    Mutex mutex;
    for (;;) {
      mutex.lock();
      mutex.unlock();
    }
  });
  EXPECT_NE(result.failure.find("endless loop"), std::string::npos) << result.failure;
}

TEST(Simulation, WaitingInALoopLetsOthersRun) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    const sim::Result result = sim::run({.seed = seed, .max_steps = 20'000}, [] {
      bool done = false;
      go([&] { done = true; });
      while (!done) yield();
    });
    EXPECT_TRUE(result.ok()) << result.report();
  }
}

TEST(Simulation, BlockingCallsRunInlineAndTakeTimeBySeed) {
  const auto once = [] {
    std::chrono::nanoseconds took{};
    EXPECT_TRUE(sim::run({.blocking_delay = 10ms}, [&] {
                  const auto thread = std::this_thread::get_id();
                  const TimePoint start = now();
                  blocking([&] { EXPECT_EQ(std::this_thread::get_id(), thread); });
                  took = now() - start;
                }).ok());
    return took;
  };
  EXPECT_GT(once().count(), 0);
  EXPECT_LT(once(), 10ms);
  EXPECT_EQ(once(), once());
}

TEST(Simulation, FaultPointsFireAsPlanned) {
  const auto count = [](uint64_t seed) {
    int fired = 0;
    EXPECT_TRUE(sim::run({.seed = seed, .faults = {{"disk.read", 0}, {"disk.*", 0.3}}}, [&] {
                  for (int i = 0; i < 1000; ++i) {
                    fired += DEGU_FAULT_POINT("disk.write") ? 1 : 0;
                    EXPECT_FALSE(DEGU_FAULT_POINT("disk.read"));
                    EXPECT_FALSE(DEGU_FAULT_POINT("net.read"));
                  }
                }).ok());
    return fired;
  };
  EXPECT_NEAR(count(7), 300, 100);
  EXPECT_EQ(count(7), count(7));
  EXPECT_FALSE(DEGU_FAULT_POINT("disk.write"));
}

TEST(Simulation, WhatDoesNotBelongThereIsRefused) {
  run([] { EXPECT_THROW(sim::run({}, [] {}), Error); });
  const sim::Result nested = sim::run({}, [] { sim::run({}, [] {}); });
  EXPECT_NE(nested.failure.find("outside of degu::run"), std::string::npos) << nested.failure;
}

TEST(Search, StopsAtTheFirstSeedThatFails) {
  int runs = 0;
  const sim::Result result = sim::search({.seeds = 1000, .environment = false}, [&] {
    ++runs;
    sim::expect(random_u64() % 8 != 0, "one in eight");
  });
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.runs, runs);
  EXPECT_EQ(result.seed, static_cast<uint64_t>(runs));
}

}  // namespace
}  // namespace degu
