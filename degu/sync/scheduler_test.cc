// What the scheduler owes to goroutines that use channels and locks: progress, parallelism, fairness. After golang/go
// src/runtime/proc_test.go. Goroutines are not preempted here: Preemption, AsyncPreempt and PreemptionAfterSyscall have
// counterparts that yield, and PingPongHog counts turns, not time (docs/internals/semantics.md).
#include <degu/rt/park.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/select.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace degu {
namespace {

using testing::until;
using namespace std::chrono_literals;

// YieldProgress: a goroutine that polls and yields does not keep the others from running.
TEST(Scheduler, YieldMakesProgress) {
  all_shapes([] {
    auto stop = make_chan<bool>();
    auto stopped = make_chan<bool>();
    WaitGroup wg;
    wg.go([&] {
      while (!stop.try_recv()) yield();
      stopped.send(true);
    });
    sleep(1ms);
    stop.send(true);
    EXPECT_EQ(stopped.recv(), true);
    wg.wait();
  });
}

// GoroutineParallelism: four goroutines that take turns in a fixed order without ever yielding to each other.
void take_turns() {
  constexpr uint32_t kGoroutines = 4;
  for (int round = 0; round < 10; ++round) {
    std::atomic<uint32_t> turn{0};
    WaitGroup wg;
    for (uint32_t g = 0; g < kGoroutines; ++g) {
      wg.go([&, g] {
        for (uint32_t i = 0; i < 3; ++i) {
          const uint32_t mine = kGoroutines * i + g;
          while (turn.load() != mine) std::this_thread::yield();  // the thread's, not the goroutine's
          turn.store(mine + 1);
        }
      });
    }
    wg.wait();
  }
}

TEST(Scheduler, RunsInParallel) { run({.procs = 4}, take_turns); }

// GoroutineParallelism2: the same just after a burst of short goroutines, and with a goroutine that sleeps.
TEST(Scheduler, RunsInParallelAfterLoad) {
  run({.procs = 4}, [] {
    WaitGroup load;
    for (int i = 0; i < 400; ++i) {
      load.go([] {
        for (int k = 0; k < 10; ++k) yield();
      });
    }
    load.wait();
    std::atomic<bool> stop{false};
    WaitGroup sleeper;
    sleeper.go([&] {
      while (!stop) sleep(100us);
    });
    take_turns();
    stop = true;
    sleeper.wait();
  });
}

// StealOrder, from outside: work queued on one P is found by all others, however many there are.
TEST(Scheduler, EveryPFindsTheWorkOfOne) {
  for (const int procs : {2, 3, 5, 8}) {
    run({.procs = procs}, [procs] {
      std::atomic<int> here{0};
      WaitGroup wg;
      for (int i = 0; i < procs; ++i) {
        wg.go([&] {
          here.fetch_add(1);
          while (here.load() < procs) std::this_thread::yield();  // all of them at once
        });
      }
      wg.wait();
    });
  }
}

// TimerFairness: goroutines that are always ready do not starve a timer.
TEST(Scheduler, PingPongDoesNotStarveTimers) {
  all_shapes([] {
    auto c = make_chan<bool>();
    auto done = make_chan<bool>();
    WaitGroup wg;
    for (int i = 0; i < 2; ++i) {
      wg.go([&] {
        for (bool stop = false; !stop;) select(send(c, true), recv(done, [&] { stop = true; }));
      });
    }
    const TimePoint end = now() + 5ms;
    for (bool late = false; !late;) select(recv(c), after(end - now(), [&] { late = true; }));
    done.close();
    wg.wait();
    EXPECT_GE(now(), end);
  });
}

// TimerFairness2: the same for goroutines that talk only to each other, with a timer of their own and blocking calls.
TEST(Scheduler, BlockingCallsDoNotStarveTimers) {
  all_shapes([] {
    auto c = make_chan<bool>();
    auto timer = make_chan<bool>();
    WaitGroup wg;
    for (int i = 0; i < 2; ++i) {
      wg.go([&] {
        for (bool late = false; !late;) {
          blocking([] {});
          select(send(c, true), recv(c), recv(timer, [&] { late = true; }));
        }
      });
    }
    wg.go([&] {
      sleep(5ms);
      timer.close();
    });
    wg.wait();
  });
}

// PingPongHog: a pair of hogs and a pair of light goroutines on one P. Each pair keeps waking itself; within a factor
// of 20 both get the same number of turns.
TEST(Scheduler, PairsShareOneP) {
  run({.procs = 1}, [] {
    auto hog_chan = make_chan<bool>();
    auto light_chan = make_chan<bool>();
    auto done = make_chan<bool>();
    int hog_turns = 0;
    int light_turns = 0;
    const auto play = [&](int work, int& turns, Chan<bool>& ball) {
      for (bool stop = false; !stop;) {
        bool mine = false;
        select(recv(done, [&] { stop = true; }), recv(ball, [&] { mine = true; }));
        if (!mine) continue;
        for (int i = 0; i < work; ++i) asm volatile("" ::: "memory");
        ++turns;
        select(recv(done, [&] { stop = true; }), send(ball, true));
      }
    };
    WaitGroup wg;
    for (int i = 0; i < 2; ++i) {
      wg.go([&] { play(50'000, hog_turns, hog_chan); });
      wg.go([&] { play(50, light_turns, light_chan); });
    }
    hog_chan.send(true);
    light_chan.send(true);
    until([&] { return hog_turns + light_turns > 500; });
    done.close();
    wg.wait();
    EXPECT_LE(hog_turns, 20 * light_turns);
    EXPECT_LE(light_turns, 20 * hog_turns);
  });
}

// New goroutines run before older ones, but these are reached: here by a chain of goroutines of which each starts the
// next, and which only an old one can end.
TEST(Scheduler, NewGoroutinesDoNotStarveAnOldOne) {
  all_shapes([] {
    std::atomic<bool> reached{false};
    WaitGroup wg;
    std::function<void()> next = [&] {
      if (!reached) wg.go([&] { next(); });
    };
    wg.go([&] { reached = true; });
    wg.go([&] { next(); });
    wg.wait();
  });
}

// PreemptionAfterSyscall: a goroutine that comes back from a blocking call gets a P, though all are kept busy.
TEST(Scheduler, BlockingCallComesBackToBusyPs) {
  for (const int procs : {1, 2, 4}) {
    run({.procs = procs}, [procs] {
      std::atomic<bool> stop{false};
      WaitGroup hogs;
      for (int i = 0; i < procs; ++i) {
        hogs.go([&] {
          while (!stop) yield();
        });
      }
      for (int i = 0; i < 20; ++i) blocking([] {});
      stop = true;
      hogs.wait();
    });
  }
}

// NetpollBreak: a scheduler asleep in the poller is woken by goroutines and by earlier timers from outside.
TEST(Scheduler, WorkFromOutsideEndsTheSleep) {
  run({.procs = 2}, [] {
    constexpr int kRounds = 200;
    auto work = make_chan<int>();
    auto seen = make_chan<int>();
    auto quit = make_chan<bool>();
    WaitGroup wg;
    wg.go([&] { select(recv(quit), after(1h)); });  // the timer that the poller sleeps for
    std::thread thread([&] {
      for (int i = 0; i < kRounds; ++i) {
        if (i % 2 == 0) {
          work.send(i);
        } else {
          go([&, i] {
            sleep(50us);
            work.send(i);
          });
        }
        EXPECT_EQ(seen.recv(), i);
      }
    });
    for (int i = 0; i < kRounds; ++i) {
      EXPECT_EQ(work.recv(), i);
      seen.send(i);
    }
    blocking([&] { thread.join(); });
    quit.close();
    wg.wait();
  });
}

// BigGOMAXPROCS
TEST(Scheduler, ManyPs) {
  for (const int procs : {256, 1024}) {
    run({.procs = procs}, [] {
      EXPECT_EQ(rt::procs(), 256U);  // the limit
      WaitGroup wg;
      std::atomic<int> n{0};
      for (int i = 0; i < 1000; ++i) {
        wg.go([&] {
          yield();
          n.fetch_add(1);
        });
      }
      wg.wait();
      EXPECT_EQ(n, 1000);
    });
  }
}

// NumGoroutine
TEST(Scheduler, CountsGoroutines) {
  all_shapes([] {
    until([] { return num_goroutines() == 1; });  // those of the test before may be on their way out
    auto gate = make_chan<int>();
    WaitGroup wg;
    for (int i = 0; i < 50; ++i) wg.go([&] { gate.recv(); });
    EXPECT_EQ(num_goroutines(), 51U);
    gate.close();
    wg.wait();
    until([] { return num_goroutines() == 1; });
  });
  EXPECT_EQ(num_goroutines(), 0U);
}

TEST(Scheduler, ForeignThreadsAreNotCounted) {
  run([] {
    auto c = make_chan<int>();
    std::thread thread([&] { c.send(1); });
    until([&] { return testing::sender_waits(c); });
    EXPECT_EQ(num_goroutines(), 1U);
    c.recv();
    blocking([&] { thread.join(); });
  });
}

}  // namespace
}  // namespace degu
