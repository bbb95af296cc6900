// Threads that the scheduler does not know use every primitive, as waiters and as wakers.
#include <degu/base/error.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/cond.h>
#include <degu/sync/generator.h>
#include <degu/sync/mutex.h>
#include <degu/sync/once.h>
#include <degu/sync/pool.h>
#include <degu/sync/rw_mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/semaphore.h>
#include <degu/sync/single_flight.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/ticker.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

namespace degu {
namespace {

using testing::until;
using namespace std::chrono_literals;

// `ours` in a goroutine and `theirs` in a thread, then the other way round.
template <class A, class B>
void both_ways(A ours, B theirs) {
  for (const bool swapped : {false, true}) {
    run({.procs = 2}, [&] {
      std::thread thread([&] { swapped ? ours() : theirs(); });
      WaitGroup wg;
      wg.go([&] { swapped ? theirs() : ours(); });
      wg.wait();
      blocking([&] { thread.join(); });
    });
  }
}

TEST(ForeignThreads, ChannelsAndSelect) {
  const auto ping = make_chan<int>();
  const auto pong = make_chan<int>(1);
  both_ways(
      [&] {
        for (int i = 0; i < 200; ++i) {
          ping.send(i);
          EXPECT_EQ(pong.recv(), i + 1);
        }
      },
      [&] {
        for (int i = 0; i < 200; ++i) {
          int got = -1;
          select(recv(ping, [&](int v) { got = v; }), after(1h));
          select(send(pong, got + 1), after(1h));
        }
      });
}

TEST(ForeignThreads, SelectEndsByTimeContextAndClose) {
  run({.procs = 2}, [] {
    TaskGroup group;
    auto quiet = make_chan<int>();
    auto until_done = make_chan<int>();
    auto c = make_chan<int>();
    std::thread thread([&] {
      EXPECT_EQ(select(recv(quiet), after(100us)), 1);
      EXPECT_EQ(select(recv(until_done), done(group)), 1);
      EXPECT_FALSE(c.recv());
      EXPECT_EQ(testing::code_of([&] { c.send(1); }), Code::kFailedPrecondition);
    });
    until([&] { return testing::receiver_waits(until_done); });
    group.cancel();
    until([&] { return testing::receiver_waits(c); });
    c.close();
    blocking([&] { thread.join(); });
  });
}

TEST(ForeignThreads, MutexAndCond) {
  Mutex mutex;
  Cond cond;
  int turn = 0;
  auto play = [&](int me) {
    for (int i = 0; i < 200; ++i) {
      std::unique_lock lock(mutex);
      cond.wait(lock, [&] { return turn % 2 == me; });
      ++turn;
      if (i % 2 == 0) {
        cond.signal();
      } else {
        cond.broadcast();
      }
      EXPECT_FALSE(cond.wait_for(lock, 0ns, [] { return false; }));
    }
  };
  both_ways([&] { play(0); }, [&] { play(1); });
  EXPECT_EQ(turn, 800);
}

TEST(ForeignThreads, RWMutex) {
  RWMutex mutex;
  int a = 0;
  int b = 0;
  auto write = [&] {
    for (int i = 0; i < 500; ++i) {
      const std::unique_lock lock(mutex);
      ++a;
      ++b;
    }
  };
  auto read = [&] {
    for (int i = 0; i < 500; ++i) {
      const std::shared_lock lock(mutex);
      EXPECT_EQ(a, b);
    }
    write();
  };
  both_ways(write, read);
  EXPECT_EQ(a, 2000);
}

TEST(ForeignThreads, OnceAndOnceValue) {
  for (int round = 0; round < 20; ++round) {
    Once once;
    OnceValue value([] {
      yield();
      return std::string("made");
    });
    std::atomic<int> runs{0};
    auto use = [&] {
      once.call([&] {
        sleep(10us);
        runs.fetch_add(1);
      });
      EXPECT_EQ(runs, 1);
      EXPECT_EQ(value(), "made");
    };
    run({.procs = 2}, [&] {
      std::thread thread(use);
      use();
      blocking([&] { thread.join(); });
    });
  }
}

TEST(ForeignThreads, WaitGroupAndTaskGroup) {
  run({.procs = 2}, [] {
    WaitGroup theirs;
    theirs.add(1);
    std::thread thread([&] {
      std::atomic<int> n{0};
      WaitGroup wg;
      for (int i = 0; i < 50; ++i) wg.go([&] { n.fetch_add(1); });
      wg.wait();
      EXPECT_EQ(n, 50);
      TaskGroup group;
      group.set_limit(2);
      for (int i = 0; i < 50; ++i) group.go([&] { n.fetch_add(1); });
      group.go([] { throw Error(Code::kAborted, "task"); });
      EXPECT_EQ(testing::code_of([&] { group.wait(); }), Code::kAborted);
      theirs.done();
    });
    theirs.wait();
    blocking([&] { thread.join(); });
  });
}

TEST(ForeignThreads, Semaphore) {
  Semaphore permits(2);
  std::atomic<int> inside{0};
  auto use = [&] {
    for (int i = 0; i < 200; ++i) {
      permits.acquire(2);
      EXPECT_EQ(inside.fetch_add(1), 0);
      inside.fetch_sub(1);
      permits.release(2);
    }
  };
  both_ways(use, use);
}

TEST(ForeignThreads, SingleFlightAndPool) {
  run({.procs = 2}, [] {
    SingleFlight<int, int> flights;
    Pool<std::string> pool;
    auto gate = make_chan<int>();
    auto use = [&] {
      EXPECT_EQ(flights
                    .call(1,
                          [&] {
                            gate.recv();
                            return 7;
                          })
                    .value,
                7);
      auto text = pool.borrow();
      text->assign("x");
    };
    std::thread thread(use);
    WaitGroup wg;
    wg.go(use);
    until([&] { return flights.followers_for_test(1) == 1; });
    gate.close();
    wg.wait();
    blocking([&] { thread.join(); });
  });
}

TEST(ForeignThreads, SleepTickerAndGenerator) {
  run({.procs = 2}, [] {
    std::thread thread([] {
      const TimePoint start = now();
      sleep(200us);
      EXPECT_GE(now() - start, 200us);
      const Ticker ticker(100us);
      EXPECT_TRUE(ticker.chan().recv());
      EXPECT_TRUE(ticker.chan().recv());
      Generator<int> numbers([](auto& yield) {
        for (int i = 0; yield(i); ++i) sleep(1us);
      });
      EXPECT_EQ(numbers.next(), 0);
      EXPECT_EQ(numbers.next(), 1);
    });
    blocking([&] { thread.join(); });
  });
}

}  // namespace
}  // namespace degu
