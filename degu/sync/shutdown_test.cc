// run() returns while goroutines are in every state that there is; what they waited for may then be freed, and
// the next run() starts afresh.
#include <degu/rt/run.h>
#include <degu/rt/testing/leak_check.h>
#include <degu/sync/chan.h>
#include <degu/sync/cond.h>
#include <degu/sync/func_timer.h>
#include <degu/sync/generator.h>
#include <degu/sync/mutex.h>
#include <degu/sync/once.h>
#include <degu/sync/rw_mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/semaphore.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/ticker.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace degu {
namespace {

using testing::until;
using namespace std::chrono_literals;

// Runs `state` in a goroutine and returns from run() once `reached`; then again, to see that all still works.
// The goroutine must own nothing: what an abandoned one owns leaks.
template <class State, class Reached>
void leave_behind(State state, Reached reached) {
  const ResourceCheck resources;
  for (const int procs : {1, 2, 4, 8}) {
    std::atomic<bool> went_on{false};
    std::atomic<bool> begun{false};
    run({.procs = procs}, [&] {
      go([&] {
        begun = true;
        state();
        went_on = true;
      });
      until([&] { return begun && reached(); });
    });
    EXPECT_FALSE(went_on);
    int sum = 0;
    run({.procs = procs}, [&] {
      auto c = make_chan<int>();
      WaitGroup wg;
      wg.go([&] {
        for (int i = 0; i < 10; ++i) c.send(i);
        c.close();
      });
      for (int v : c) sum += v;
      wg.wait();
    });
    EXPECT_EQ(sum, 45);
  }
}

TEST(Shutdown, InChannelOperations) {
  const Chan<int> nil;
  leave_behind([&] { nil.recv(); },
               [] {
                 yield();
                 return true;
               });
  for (const std::size_t cap : {0u, 1u}) {
    auto receive = make_chan<int>(cap);
    leave_behind([&] { receive.recv(); }, [&] { return testing::receiver_waits(receive); });
  }
  auto full = make_chan<int>();
  leave_behind([&] { full.send(1); }, [&] { return testing::sender_waits(full); });
}

TEST(Shutdown, InSelect) {
  auto a = make_chan<int>();
  auto b = make_chan<int>();
  leave_behind([&] { select(recv(a), send(b, 1), after(1h)); },
               [&] { return testing::receiver_waits(a) && testing::sender_waits(b); });
}

TEST(Shutdown, InLocks) {
  Mutex mutex;
  mutex.lock();
  leave_behind([&] { mutex.lock(); },
               [] {
                 yield();
                 return true;
               });
  RWMutex readers;
  readers.lock();
  leave_behind([&] { readers.lock_shared(); },
               [] {
                 yield();
                 return true;
               });
  Mutex held;
  Cond cond;
  leave_behind(
      [&] {
        held.lock();
        cond.wait(held);
      },
      [&] { return cond.has_waiters_for_test(); });
}

TEST(Shutdown, InGroupsAndSemaphores) {
  Semaphore permits(1);
  ASSERT_TRUE(permits.try_acquire());
  leave_behind([&] { permits.acquire(); },
               [] {
                 yield();
                 return true;
               });
  // Its destructor would wait, and a waker must not come after run() has taken the waiters' stacks.
  static auto* const wg = new WaitGroup;
  wg->add(1);
  leave_behind([] { wg->wait(); }, [] { return wg->has_waiters_for_test(); });
}

TEST(Shutdown, InSleepAndTimers) {
  leave_behind([] { sleep(1h); },
               [] {
                 yield();
                 return true;
               });
  leave_behind(
      [] {
        after_func(1h, [] { ADD_FAILURE(); });
        sleep(1h);
      },
      [] { return true; });
}

TEST(Shutdown, Runnable) {
  leave_behind(
      [] {
        for (;;) yield();
      },
      [] { return true; });
}

TEST(Shutdown, InsideWithStack) {
  leave_behind([] { with_stack(1 << 20, [] { with_stack(1 << 20, [] { sleep(1h); }); }); },
               [] {
                 yield();
                 return true;
               });
}

// Threads that do not come back: run() leaves them behind, and they look at its scheduler when they do.
TEST(Shutdown, InABlockingCallAndInAComputation) {
  static std::atomic<bool> release;
  static std::atomic<int> inside;
  release = false;
  inside = 0;
  const auto stay = [] {
    ++inside;
    while (!release) std::this_thread::yield();
  };
  run({.procs = 2, .stuck_report = 0s}, [&] {
    go([stay] {
      blocking(stay);
      ADD_FAILURE() << "an abandoned goroutine went on";
    });
    go([stay] {
      stay();
      --inside;
      yield();
      ADD_FAILURE() << "an abandoned goroutine went on";
    });
    until([] { return inside == 2; });
  });
  int value = 0;
  run([&] { value = 1; });
  EXPECT_EQ(value, 1);
  release = true;
  run({.procs = 2}, [] { until([] { return inside == 1; }); });
}

}  // namespace
}  // namespace degu
