// After golang/go src/sync/mutex_test.go and src/runtime/sema_test.go.
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/mutex.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace degu {
namespace {

using testing::until;
using namespace std::chrono_literals;

TEST(Mutex, Excludes) {
  all_shapes([] {
    Mutex mutex;
    int inside = 0;
    long total = 0;
    WaitGroup wg;
    for (int g = 0; g < 10; ++g) {
      wg.go([&, g] {
        for (int i = 0; i < 300; ++i) {
          if (i % 3 == 0 && !mutex.try_lock()) continue;
          if (i % 3 != 0) mutex.lock();
          EXPECT_EQ(++inside, 1);
          if (i % 17 == g) yield();
          ++total;
          --inside;
          mutex.unlock();
        }
      });
    }
    wg.wait();
    EXPECT_GE(total, 2000);
    EXPECT_FALSE(mutex.has_waiters_for_test());
    EXPECT_TRUE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock());
    mutex.unlock();
  });
}

TEST(Mutex, IsLockable) {
  run([] {
    Mutex a;
    Mutex b;
    {
      const std::scoped_lock both(a, b);
      EXPECT_FALSE(a.try_lock());
      EXPECT_FALSE(b.try_lock());
    }
    const std::unique_lock first(a, std::try_to_lock);
    EXPECT_TRUE(first.owns_lock());
  });
}

TEST(Mutex, AnotherGoroutineMayUnlock) {
  all_shapes([] {
    Mutex mutex;
    mutex.lock();
    go([&] { mutex.unlock(); });
    mutex.lock();
    mutex.unlock();
  });
}

// MutexFairness: a goroutine that holds the mutex nearly all the time does not keep another out.
TEST(Mutex, HogThatSleepsDoesNotStarveOthers) {
  all_shapes([] {
    Mutex mutex;
    std::atomic<bool> stop{false};
    WaitGroup wg;
    wg.go([&] {
      while (!stop.load()) {
        const std::lock_guard guard(mutex);
        sleep(100us);
      }
    });
    for (int i = 0; i < 10; ++i) {
      sleep(100us);
      const std::lock_guard guard(mutex);
    }
    stop = true;
    wg.wait();
  });
}

// The same for one that never parks: goroutines are not preempted, so the lock itself must let others run.
TEST(Mutex, HogThatSpinsDoesNotStarveOthers) {
  all_shapes([] {
    Mutex mutex;
    std::atomic<bool> stop{false};
    WaitGroup wg;
    mutex.lock();
    wg.go([&] {
      mutex.lock();
      stop = true;
      mutex.unlock();
    });
    until([&] { return mutex.has_waiters_for_test(); });
    mutex.unlock();
    while (!stop.load()) {
      mutex.lock();
      mutex.unlock();
    }
    wg.wait();
  });
}

TEST(Mutex, TryLockForGivesUp) {
  all_shapes([] {
    Mutex mutex;
    mutex.lock();
    const TimePoint start = now();
    EXPECT_FALSE(mutex.try_lock_for(1ms));
    EXPECT_GE(now() - start, 1ms);
    EXPECT_FALSE(mutex.try_lock_for(0ns));
    EXPECT_FALSE(mutex.try_lock_for(-1s));
    EXPECT_FALSE(mutex.has_waiters_for_test());
    WaitGroup wg;
    wg.go([&] {
      EXPECT_TRUE(mutex.try_lock_for(1h));
      mutex.unlock();
    });
    until([&] { return mutex.has_waiters_for_test(); });
    mutex.unlock();
    wg.wait();
  });
}

TEST(Mutex, TryLockForObservesTheContextLockDoesNot) {
  all_shapes([] {
    Mutex mutex;
    mutex.lock();
    TaskGroup group;
    std::atomic<int> locked{0};
    std::atomic<int> waiting{0};
    group.go([&] {
      waiting.fetch_add(1);
      EXPECT_THROW(static_cast<void>(mutex.try_lock_for(1h)), Cancelled);
    });
    until([&] { return mutex.has_waiters_for_test(); });
    group.cancel();
    until([&] { return !mutex.has_waiters_for_test(); });
    group.go([&] {
      mutex.lock();
      locked.fetch_add(1);
      mutex.unlock();
    });
    until([&] { return mutex.has_waiters_for_test(); });
    EXPECT_EQ(locked, 0);
    mutex.unlock();
    group.wait();
    EXPECT_EQ(locked, 1);
  });
}

// Waiters that give up race with unlock: the mutex stays whole and nobody is forgotten.
TEST(Mutex, PatienceRacesWithUnlock) {
  all_shapes([] {
    Mutex mutex;
    int inside = 0;
    std::atomic<int> taken{0};
    WaitGroup wg;
    for (int g = 0; g < 6; ++g) {
      wg.go([&, g] {
        for (int i = 0; i < 100; ++i) {
          if (g % 2 == 0) {
            mutex.lock();
          } else if (!mutex.try_lock_for(std::chrono::microseconds(i % 20))) {
            continue;
          }
          EXPECT_EQ(++inside, 1);
          taken.fetch_add(1);
          if (i % 10 == 0) yield();
          --inside;
          mutex.unlock();
        }
      });
    }
    wg.wait();
    EXPECT_GE(taken, 300);
    EXPECT_FALSE(mutex.has_waiters_for_test());
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
  });
}

// Under load for longer than the starvation limit both modes are visited, and all goroutines get their share.
TEST(Mutex, StarvationModeIsEnteredAndLeft) {
  all_shapes([] {
    Mutex mutex;
    std::vector<int> taken(6, 0);
    WaitGroup wg;
    for (std::size_t g = 0; g < taken.size(); ++g) {
      wg.go([&, g] {
        for (int i = 0; i < 12; ++i) {
          const std::lock_guard guard(mutex);
          ++taken[g];
          sleep(g == 0 ? 300us : 50us);
        }
      });
    }
    wg.wait();
    for (int n : taken) EXPECT_EQ(n, 12);
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
  });
}

TEST(Mutex, SerialisesForeignThreadsToo) {
  run([] {
    Mutex mutex;
    long total = 0;
    std::thread thread([&] {
      for (int i = 0; i < 2000; ++i) {
        const std::lock_guard guard(mutex);
        ++total;
      }
    });
    for (int i = 0; i < 2000; ++i) {
      const std::lock_guard guard(mutex);
      ++total;
    }
    blocking([&] { thread.join(); });
    EXPECT_EQ(total, 4000);
  });
}

// One direct hand-over of a mutex in starvation mode: does the new owner run before the old one goes on?
bool handed_over_directly() {
  Mutex mutex;
  std::atomic<int> first{0};
  const auto claim = [&first](int who) {
    int nobody = 0;
    first.compare_exchange_strong(nobody, who);
  };
  std::atomic<bool> stop{false};
  WaitGroup wg;
  // Keeps the other Ps busy, so that the one that yields is not taken over by another at once.
  for (uint32_t i = 0; i < rt::procs(); ++i) {
    wg.go([&] {
      while (!stop) yield();
    });
  }
  mutex.lock();
  wg.go([&] {
    const std::lock_guard guard(mutex);
    claim(1);
    stop = true;
  });
  until([&] { return mutex.has_waiters_for_test(); });
  // The waiter is woken, loses against us after the limit of 1 ms, and asks for the lock to be handed over.
  const TimePoint end = now() + 2ms;
  while (now() < end) yield();
  while (!mutex.starving_for_test()) {
    mutex.unlock();
    mutex.lock();
    yield();
  }
  mutex.unlock();
  claim(2);
  wg.wait();
  return first == 1;
}

// SemaHandoff 1 and 2: at least two thirds.
TEST(Mutex, HandsOverDirectly) {
  constexpr int kRounds = 60;
  for (const int procs : {1, 2}) {
    run({.procs = procs}, [&] {
      int direct = 0;
      for (int i = 0; i < kRounds; ++i) direct += handed_over_directly() ? 1 : 0;
      EXPECT_GE(direct, kRounds * 2 / 3) << "with " << procs << " Ps";
    });
  }
}

}  // namespace
}  // namespace degu
