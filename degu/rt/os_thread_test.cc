#include <degu/rt/dump.h>
#include <degu/rt/os_thread.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>
#include <string_view>

namespace degu {
namespace {

using namespace std::chrono_literals;

long this_tid() { return ::syscall(SYS_gettid); }

// Others that want the Ps, until `stop`.
void start_others(const std::atomic<bool>& stop, std::atomic<int>& running, long kept_off) {
  for (int i = 0; i < 8; ++i) {
    ++running;
    go([&stop, &running, kept_off] {
      while (!stop) {
        EXPECT_NE(this_tid(), kept_off);
        yield();
      }
      --running;
    });
  }
}

TEST(LockOsThread, KeepsTheGoroutineOnItsThreadAndOthersOff) {
  all_shapes([] {
    std::atomic<bool> stop{false};
    std::atomic<int> running{0};
    ++running;
    go([&] {
      const OsThreadLock lock;
      const long tid = this_tid();
      start_others(stop, running, tid);
      for (int i = 0; i < 200; ++i) {
        i % 10 == 0 ? sleep(10us) : yield();
        ASSERT_EQ(this_tid(), tid);
        if (i % 20 == 0) blocking([] { ::usleep(200); });
        ASSERT_EQ(this_tid(), tid);
      }
      stop = true;
      --running;
    });
    while (running != 0) yield();
  });
}

// What the thread has is there after each wait: here its name.
TEST(LockOsThread, KeepsWhatBelongsToTheThread) {
  all_shapes([] {
    std::atomic<int> running{0};
    constexpr std::array<const char*, 4> kNames{"one", "two", "three", "four"};
    for (const char* name : kNames) {
      ++running;
      go([&running, name] {
        const OsThreadLock lock;
        std::array<char, 16> own{};
        std::array<char, 16> former{};
        ::prctl(PR_GET_NAME, former.data());
        ::prctl(PR_SET_NAME, name);
        for (int i = 0; i < 50; ++i) {
          yield();
          ::prctl(PR_GET_NAME, own.data());
          EXPECT_EQ(std::string_view(own.data()), name);
        }
        ::prctl(PR_SET_NAME, former.data());
        --running;
      });
    }
    while (running != 0) yield();
  });
}

TEST(LockOsThread, NestsAndIsIgnoredWhereItMeansNothing) {
  lock_os_thread();
  unlock_os_thread();
  all_shapes([] {
    unlock_os_thread();
    lock_os_thread();
    lock_os_thread();
    unlock_os_thread();
    const long tid = this_tid();
    std::atomic<bool> stop{false};
    std::atomic<int> running{0};
    start_others(stop, running, tid);
    for (int i = 0; i < 50; ++i) yield();
    EXPECT_EQ(this_tid(), tid);
    stop = true;
    while (running != 0) yield();
    unlock_os_thread();
  });
}

// After unlocking, its thread is everybody's again: with one P, others run there.
TEST(LockOsThread, UnlockingGivesTheThreadBack) {
  run({.procs = 1}, [] {
    lock_os_thread();
    const long tid = this_tid();
    sleep(1ms);
    unlock_os_thread();
    bool seen = false;
    go([&] { seen = this_tid() == tid; });
    while (!seen) {
      go([&] { seen = seen || this_tid() == tid; });
      yield();
    }
  });
}

TEST(LockOsThread, AGoroutineThatEndsLockedEndsItsThread) {
  for (const int procs : {1, 2, 4}) {
    run({.procs = procs}, [] {
      for (int i = 0; i < 100; ++i) {
        std::atomic<long> tid{0};
        go([&] {
          lock_os_thread();
          sleep(1us);
          tid = this_tid();
        });
        while (tid == 0) yield();
        while (::syscall(SYS_tgkill, ::getpid(), tid.load(), 0) == 0) yield();
      }
      EXPECT_LE(rt::threads(), 16);
    });
  }
}

TEST(LockOsThread, StoppingDoesNotWaitForTheLocked) {
  for (const int procs : {1, 2, 4}) {
    for (int i = 0; i < 20; ++i) {
      run({.procs = procs}, [] {
        std::atomic<int> locked{0};
        for (int n = 0; n < 3; ++n) {
          go([&locked, n] {
            lock_os_thread();
            ++locked;
            while (n != 0) n == 1 ? sleep(1h) : yield();
          });
        }
        while (locked != 3) yield();
      });
    }
  }
}

TEST(LockOsThread, IsShownInDumps) {
  run([] {
    const OsThreadLock lock;
    std::string dump;
    rt::dump_goroutines(dump);
    EXPECT_NE(dump.find("main [running, locked to thread]:"), std::string::npos) << dump;
  });
}

TEST(LockOsThreadDeathTest, AllAsleepIsStillFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run([] {
                lock_os_thread();
                sleep(1ms);
                const rt::Ticket never = rt::begin_wait(rt::Interrupt::kIgnore);
                static_cast<void>(never);
                rt::park(rt::WaitReason::kOther, nullptr);
              }),
              ::testing::ExitedWithCode(2), "deadlock");
}

}  // namespace
}  // namespace degu
