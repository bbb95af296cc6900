// Locks, conditions and groups by seeds that force interleavings, with waiters that give up or are cancelled.
#include <degu/base/random.h>
#include <degu/base/time.h>
#include <degu/rt/race_point.h>
#include <degu/rt/run.h>
#include <degu/sync/cond.h>
#include <degu/sync/mutex.h>
#include <degu/sync/rw_mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/semaphore.h>
#include <degu/sync/task_group.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>

namespace degu {
namespace {

constexpr uint64_t kSeeds = 3'000;

template <class Body>
void each_seed(const Body& body) {
  run({.procs = 4}, [&] {
    for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
      rt::seed_race_points(seed);
      body(Random(seed));
      if (::testing::Test::HasFailure()) ADD_FAILURE() << "with seed " << seed;
    }
    rt::seed_race_points(0);
  });
}

// A waiter that gives up, or is cancelled, while the mutex is handed to it must neither keep nor lose it.
TEST(LockRace, MutexWithImpatientWaiters) {
  each_seed([](Random random) {
    Mutex mutex;
    int inside = 0;
    TaskGroup impatient;
    WaitGroup patient;
    for (int g = 0; g < 2; ++g) {
      patient.go([&] {
        for (int i = 0; i < 3; ++i) {
          const std::lock_guard guard(mutex);
          EXPECT_EQ(++inside, 1);
          if (i == 1) yield();
          --inside;
        }
      });
      impatient.go([&, patience = random.below(3)] {
        for (int i = 0; i < 3; ++i) {
          if (!mutex.try_lock_for(std::chrono::microseconds(patience))) continue;
          EXPECT_EQ(++inside, 1);
          --inside;
          mutex.unlock();
        }
      });
    }
    if (random.below(2) == 0) impatient.cancel();
    patient.wait();
    impatient.cancel();
    impatient.wait();
    ASSERT_FALSE(mutex.has_waiters_for_test());
    ASSERT_TRUE(mutex.try_lock());
    mutex.unlock();
  });
}

TEST(LockRace, RWMutexExcludes) {
  each_seed([](Random) {
    RWMutex mutex;
    std::atomic<int> activity{0};
    WaitGroup group;
    for (int g = 0; g < 2; ++g) {
      group.go([&] {
        for (int i = 0; i < 2; ++i) {
          const std::lock_guard guard(mutex);
          EXPECT_EQ(activity.fetch_add(100), 0);
          activity.fetch_sub(100);
        }
      });
      group.go([&] {
        for (int i = 0; i < 3; ++i) {
          const std::shared_lock lock(mutex);
          EXPECT_LT(activity.fetch_add(1), 100);
          if (i == 1) yield();
          activity.fetch_sub(1);
        }
      });
    }
    group.wait();
  });
}

// Two items, two consumers, one of which may be cancelled: a signal is not lost with the waiter it was meant
// for.
TEST(LockRace, CondDoesNotLoseSignals) {
  each_seed([](Random random) {
    Mutex mutex;
    Cond cond;
    int items = 0;
    std::atomic<int> taken{0};
    TaskGroup doomed;
    WaitGroup group;
    const auto consume = [&] {
      std::unique_lock lock(mutex);
      cond.wait(lock, [&] { return items > 0; });
      --items;
      taken.fetch_add(1);
    };
    doomed.go(consume);
    group.go(consume);
    for (int i = 0; i < 2; ++i) {
      group.go([&] {
        const std::lock_guard guard(mutex);
        ++items;
        cond.signal();
      });
    }
    if (random.below(2) == 0) group.go([&] { doomed.cancel(); });
    group.wait();
    doomed.cancel();
    doomed.wait();
    ASSERT_EQ(taken + items, 2);
    ASSERT_GE(taken, 1);
  });
}

TEST(LockRace, WaitGroupEndsUnderItsLastDone) {
  each_seed([](Random random) {
    auto wg = std::make_unique<WaitGroup>();
    WaitGroup* raw = wg.get();
    const int tasks = 1 + static_cast<int>(random.below(3));
    raw->add(tasks);
    for (int i = 0; i < tasks; ++i) go([raw] { raw->done(); });
    raw->wait();
    wg.reset();
  });
}

TEST(LockRace, SemaphoreWithCancelledWaiters) {
  each_seed([](Random random) {
    Semaphore semaphore(3);
    TaskGroup doomed;
    WaitGroup group;
    for (int g = 0; g < 2; ++g) {
      doomed.go([&] { const auto permit = semaphore.hold(3); });
      group.go([&, n = 1 + random.below(2)] {
        const auto permit = semaphore.hold(n);
        yield();
      });
    }
    doomed.cancel();
    group.wait();
    doomed.wait();
    ASSERT_EQ(semaphore.available(), 3);
    ASSERT_FALSE(semaphore.has_waiters_for_test());
  });
}

// Timer, channel, close and cancellation end one select.
TEST(LockRace, SelectWithEveryEnd) {
  each_seed([](Random random) {
    auto a = make_chan<int>();
    auto b = make_chan<int>(1);
    TaskGroup group;
    for (int g = 0; g < 2; ++g) {
      group.go([&, us = random.below(5)] { select(recv(a), recv(b), after(std::chrono::microseconds(us))); });
      group.go([&] { select(send(a, 1), recv(b), done(group)); });
    }
    if (random.below(2) == 0) b.close();
    if (random.below(2) == 0) yield();
    group.cancel();
    group.wait();
    for (const auto& chan : {a, b}) {
      ASSERT_TRUE(chan.core()->receivers.empty_hint());
      ASSERT_TRUE(chan.core()->senders.empty_hint());
    }
  });
}

TEST(LockRace, TaskGroupReportsOneFailure) {
  each_seed([](Random) {
    TaskGroup group;
    auto never = make_chan<int>();
    for (int i = 0; i < 2; ++i) {
      group.go([] { throw Error(Code::kAborted, "failed"); });
      group.go([&] { never.recv(); });
    }
    EXPECT_THROW(group.wait(), Error);
    ASSERT_TRUE(never.core()->receivers.empty_hint());
  });
}

}  // namespace
}  // namespace degu
