// After golang/go src/sync/rwmutex_test.go.
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/cond.h>
#include <degu/sync/rw_mutex.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace degu {
namespace {

using testing::until;

TEST(RWMutex, ReadersShare) {
  all_shapes([] {
    RWMutex mutex;
    constexpr int kReaders = 5;
    auto inside = make_chan<int>();
    auto leave = make_chan<int>();
    WaitGroup wg;
    for (int i = 0; i < kReaders; ++i) {
      wg.go([&] {
        const std::shared_lock lock(mutex);
        inside.send(1);
        leave.recv();
      });
    }
    for (int i = 0; i < kReaders; ++i) inside.recv();
    EXPECT_FALSE(mutex.try_lock());
    EXPECT_TRUE(mutex.try_lock_shared());
    mutex.unlock_shared();
    leave.close();
    wg.wait();
    EXPECT_TRUE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock_shared());
    mutex.unlock();
  });
}

// HammerRWMutex: the activity counter never shows a writer with company.
TEST(RWMutex, Hammer) {
  all_shapes([] {
    RWMutex mutex;
    std::atomic<int> activity{0};
    WaitGroup wg;
    for (int g = 0; g < 10; ++g) {
      wg.go([&, g] {
        for (int i = 0; i < 100; ++i) {
          if (g % 5 == 0) {
            mutex.lock();
            EXPECT_EQ(activity.fetch_add(10000), 0);
            if (i % 8 == 0) yield();
            activity.fetch_sub(10000);
            mutex.unlock();
          } else if (i % 4 != 0 || mutex.try_lock_shared()) {
            if (i % 4 != 0) mutex.lock_shared();
            EXPECT_LT(activity.fetch_add(1), 10000);
            if (i % 8 == 0) yield();
            activity.fetch_sub(1);
            mutex.unlock_shared();
          }
        }
      });
    }
    wg.wait();
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
  });
}

TEST(RWMutex, WaitingWriterKeepsNewReadersOut) {
  all_shapes([] {
    RWMutex mutex;
    std::vector<int> order;
    mutex.lock_shared();
    WaitGroup wg;
    wg.go([&] {
      const std::lock_guard guard(mutex);
      order.push_back(1);
    });
    until([&] {
      const bool free = mutex.try_lock_shared();
      if (free) mutex.unlock_shared();
      return !free;
    });
    wg.go([&] {
      const std::shared_lock lock(mutex);
      order.push_back(2);
    });
    yield();
    EXPECT_TRUE(order.empty());
    mutex.unlock_shared();
    wg.wait();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
  });
}

// ParallelReaders: n readers are inside at once on 1, 2 and 4 Ps, though each of them waits there.
TEST(RWMutex, ParallelReaders) {
  for (const auto& [readers, procs] : {std::pair{1, 4}, {3, 4}, {4, 2}, {4, 1}}) {
    run({.procs = procs}, [readers = readers] {
      RWMutex mutex;
      auto locked = make_chan<bool>();
      auto leave = make_chan<bool>();
      WaitGroup wg;
      for (int i = 0; i < readers; ++i) {
        wg.go([&] {
          mutex.lock_shared();
          locked.send(true);
          leave.recv();
          mutex.unlock_shared();
        });
      }
      for (int i = 0; i < readers; ++i) locked.recv();
      for (int i = 0; i < readers; ++i) leave.send(true);
      wg.wait();
    });
  }
}

// RLocker: std::shared_lock is the reading side as a lock of its own, nested and beside a writer, and with a Cond.
TEST(RWMutex, SharedLockIsTheReadersLock) {
  all_shapes([] {
    RWMutex mutex;
    constexpr int kRounds = 10;
    auto read_locked = make_chan<bool>(1);
    auto write_locked = make_chan<bool>(1);
    WaitGroup wg;
    wg.go([&] {
      for (int i = 0; i < kRounds; ++i) {
        {
          const std::shared_lock first(mutex);
          const std::shared_lock second(mutex);
          read_locked.send(true);
        }
        const std::lock_guard writer(mutex);
        write_locked.send(true);
      }
    });
    for (int i = 0; i < kRounds; ++i) {
      EXPECT_EQ(read_locked.recv(), true);
      EXPECT_EQ(write_locked.recv(), true);
    }
    wg.wait();
    Cond cond;
    bool ready = false;
    wg.go([&] {
      std::shared_lock lock(mutex);
      cond.wait(lock, [&] { return ready; });
      EXPECT_FALSE(mutex.try_lock());
    });
    until([&] { return cond.has_waiters_for_test(); });
    {
      const std::lock_guard writer(mutex);
      ready = true;
    }
    cond.signal();
    wg.wait();
  });
}

}  // namespace
}  // namespace degu
