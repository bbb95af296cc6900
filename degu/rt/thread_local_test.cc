// Thread-local state and errno before and after a goroutine has changed its thread. Compiled twice: as for a
// program, and with -fPIC as for a shared library, where compilers keep the addresses of thread-locals.
#include <degu/rt/run.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

namespace degu {
namespace {

thread_local std::thread::id tls_owner;
thread_local int tls_counter = 0;

// The rule of docs/internals/thread-local.md: read through a function that is not inlined.
[[gnu::noinline]] std::thread::id owner() {
  if (tls_owner == std::thread::id()) tls_owner = std::this_thread::get_id();
  return tls_owner;
}
[[gnu::noinline]] int bump() {
  asm volatile("");
  return ++tls_counter;
}

[[gnu::noinline]] std::thread::id this_thread() {
  asm volatile("");
  return std::this_thread::get_id();
}

// A system call and its errno in one function.
[[gnu::noinline]] int close_nothing() { return ::close(-1) == -1 ? errno : 0; }
[[gnu::noinline]] int open_nothing() { return ::open("", O_RDONLY) == -1 ? errno : 0; }

TEST(ThreadLocal, IsThatOfTheThreadAfterEveryMigration) {
  run({.procs = 4}, [] {
    std::atomic<int> migrations{0};
    std::atomic<int> done{0};
    constexpr int kGoroutines = 8;
    for (int g = 0; g < kGoroutines; ++g) {
      go([&] {
        std::thread::id last = this_thread();
        int before = bump();
        while (migrations < 50) {
          if (goroutine_id() % 2 == 0) {
            yield();
          } else {
            blocking([] { std::this_thread::yield(); });
          }
          const std::thread::id now_on = this_thread();
          EXPECT_EQ(owner(), now_on);
          if (now_on != last) {
            migrations.fetch_add(1);
            before = 0;
          }
          last = now_on;
          const int after = bump();
          EXPECT_GT(after, before);
          before = after;
        }
        done.fetch_add(1);
      });
    }
    while (done != kGoroutines) sleep(std::chrono::milliseconds(1));
  });
}

TEST(ThreadLocal, ErrnoIsThatOfTheCallThatFailed) {
  run({.procs = 4}, [] {
    std::atomic<int> migrations{0};
    std::atomic<int> done{0};
    constexpr int kGoroutines = 8;
    for (int g = 0; g < kGoroutines; ++g) {
      go([&, g] {
        std::thread::id last = this_thread();
        while (migrations < 50) {
          if (g % 2 == 0) {
            EXPECT_EQ(close_nothing(), EBADF);
          } else {
            EXPECT_EQ(open_nothing(), ENOENT);
          }
          if (g % 4 < 2) {
            yield();
          } else {
            blocking([] { errno = EDOM; });
          }
          const std::thread::id now_on = this_thread();
          if (now_on != last) migrations.fetch_add(1);
          last = now_on;
        }
        done.fetch_add(1);
      });
    }
    while (done != kGoroutines) sleep(std::chrono::milliseconds(1));
  });
}

}  // namespace
}  // namespace degu
