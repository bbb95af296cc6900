// Goroutines that keep their thread: the others go on, and afterwards no more run at once than before.
#include <degu/rt/deadlock.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/run.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace degu {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

void await(const std::atomic<bool>& flag) {
  while (!flag.load(std::memory_order_acquire)) yield();
}

// Calls nothing, so that it is seen at one place: load() is a function where little is inlined.
[[gnu::noinline]] void compute_until(const std::atomic<bool>& stop) {
  static_assert(sizeof(stop) == sizeof(bool));
  while (!__atomic_load_n(reinterpret_cast<const bool*>(&stop), __ATOMIC_ACQUIRE)) {
  }
  asm volatile("");
}

// Without anybody to stand in, each of these would never end.

TEST(Sysmon, OthersRunBesideAGoroutineThatComputes) {
  run({.procs = 1}, [] {
    std::atomic<bool> stop{false};
    std::atomic<bool> ended{false};
    go([&] {
      compute_until(stop);
      ended = true;
    });
    yield();  // the other one has the only P from here on
    sleep(1ms);
    stop = true;
    await(ended);
  });
}

TEST(Sysmon, OthersRunBesideASystemCall) {
  for (const bool marked : {false, true}) {
    run({.procs = 1}, [marked] {
      std::array<int, 2> ends{};
      ASSERT_EQ(::pipe(ends.data()), 0);
      std::atomic<bool> ended{false};
      go([&] {
        char byte = 0;
        const auto wait = [&] { return ::read(ends[0], &byte, 1); };
        EXPECT_EQ(marked ? blocking(wait) : wait(), 1);
        EXPECT_EQ(byte, 'x');
        ended = true;
      });
      yield();
      ASSERT_EQ(::write(ends[1], "x", 1), 1);
      await(ended);
      ::close(ends[0]);
      ::close(ends[1]);
    });
  }
}

TEST(Sysmon, ManyMayBlockAtOnce) {
  run({.procs = 2}, [] {
    constexpr int kCount = 64;
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    std::atomic<int> inside{0};
    std::atomic<int> ended{0};
    for (int i = 0; i < kCount; ++i) {
      go([&, i] {
        char byte = 0;
        const auto wait = [&] { return ::read(ends[0], &byte, 1); };
        inside.fetch_add(1);
        EXPECT_EQ(i % 2 == 0 ? blocking(wait) : wait(), 1);
        ended.fetch_add(1);
      });
    }
    while (inside != kCount) yield();
    EXPECT_GE(rt::threads(), kCount);
    const std::string bytes(kCount, 'x');
    ASSERT_EQ(::write(ends[1], bytes.data(), bytes.size()), kCount);
    while (ended != kCount) yield();
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

int stuck_ps() {
  const rt::Scheduler& sched = *rt::default_scheduler();
  int count = 0;
  for (uint32_t i = 0; i < sched.p_count; ++i) {
    const rt::P& p = *sched.ps[i].load();
    if (p.stuck && p.holder != nullptr) ++count;
  }
  return count;
}

// A P that stood in leaves when the one it stood in for is back. The kernel may keep a thread waiting for long enough
// that another one rightly stands in, but then it is known as stuck.
TEST(Sysmon, NoMoreRunAtOnceAfterwards) {
  run({.procs = 1}, [] {
    for (int round = 0; round < 5; ++round) {
      std::atomic<bool> stop{false};
      std::atomic<bool> back{false};
      go([&] {
        compute_until(stop);
        yield();
        back = true;
      });
      yield();
      stop = true;
      await(back);
      std::atomic<int> inside{0};
      std::atomic<int> most{0};
      std::atomic<int> ended{0};
      constexpr int kCount = 200;
      for (int i = 0; i < kCount; ++i) {
        go([&] {
          const int stuck_before = stuck_ps();
          const int now_inside = inside.fetch_add(1) + 1;
          const int unexpected = now_inside - std::max(stuck_before, stuck_ps());
          if (unexpected > most) most = unexpected;
          for (int turn = 0; turn < 2000; ++turn) asm volatile("");
          inside.fetch_sub(1);
          ended.fetch_add(1);
        });
      }
      while (ended != kCount) yield();
      EXPECT_LE(most, 1);
    }
  });
}

TEST(Sysmon, TimersOfAStuckPAreServed) {
  run({.procs = 1}, [] {
    std::atomic<bool> stop{false};
    std::atomic<bool> ended{false};
    go([&] {
      for (int i = 0; i < 20; ++i) sleep(1ms);
      stop = true;
      ended = true;
    });
    yield();
    compute_until(stop);
    await(ended);
  });
}

// The thread that waited for timers and the network takes up a goroutine that keeps it, while another sleeps.
void keep_who_polled(void (*keep)(const std::atomic<bool>& until)) {
  run({.procs = 2, .stuck_report = 0ns}, [keep] {
    for (int round = 0; round < 10; ++round) {
      sleep(2ms);
      std::atomic<bool> woke{false};
      std::atomic<bool> done{false};
      go([&, keep] {
        keep(woke);
        done = true;
      });
      sleep(1ms);
      woke = true;
      while (!done) yield();
    }
  });
}

TEST(Sysmon, TimersAreServedWhenWhoPolledBlocks) {
  keep_who_polled([](const std::atomic<bool>& until) { blocking([&] { compute_until(until); }); });
}

TEST(Sysmon, TimersAreServedWhenWhoPolledComputes) { keep_who_polled(&compute_until); }

// What a goroutine queues on its P after somebody stood in.
TEST(Sysmon, WorkQueuedByAStuckGoroutineIsTaken) {
  run({.procs = 1}, [] {
    for (int round = 0; round < 20; ++round) {
      std::atomic<bool> taken{false};
      go([&] { taken = true; });
      compute_until(taken);
    }
  });
}

TEST(Sysmon, FewerAndMorePs) {
  run({.procs = 4}, [] {
    for (const uint32_t procs : {1U, 8U, 2U, 4U}) {
      rt::set_procs(*rt::default_scheduler(), procs);
      EXPECT_EQ(rt::procs(), procs);
      std::atomic<int> ended{0};
      constexpr int kCount = 500;
      for (int i = 0; i < kCount; ++i) {
        go([&] {
          yield();
          sleep(10us);
          ended.fetch_add(1);
        });
      }
      while (ended != kCount) yield();
    }
  });
}

TEST(Sysmon, AtTheLimitOfThreadsTheOthersWait) {
  ::testing::internal::CaptureStderr();
  run({.procs = 1, .max_threads = 3}, [] {
    std::atomic<int> ended{0};
    constexpr int kCount = 8;
    for (int i = 0; i < kCount; ++i) {
      go([&] {
        blocking([] { ::usleep(30'000); });
        ended.fetch_add(1);
      });
    }
    while (ended != kCount) yield();
    EXPECT_LE(rt::threads(), 3);
  });
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("no thread to run goroutines on: 3 exist"));
}

// runtime.TestCrashThreadExhaustion, where Go dies.
TEST(Sysmon, WithAllThreadsBlockedEverythingElseWaitsAndNothingIsLost) {
  constexpr int kThreads = 3;
  constexpr int kCalls = 20;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  ::testing::internal::CaptureStderr();
  // From outside, as no goroutine can run then.
  std::thread outside([&] {
    while (inside < kThreads) std::this_thread::yield();
    const std::string bytes(kCalls, 'x');
    EXPECT_EQ(::write(ends[1], bytes.data(), bytes.size()), kCalls);
  });
  run({.procs = 2, .max_threads = kThreads}, [&] {
    std::atomic<int> ended{0};
    std::atomic<int> others{0};
    for (int i = 0; i < kCalls; ++i) {
      go([&] {
        blocking([&] {
          const int now_inside = ++inside;
          int seen = most;
          while (seen < now_inside && !most.compare_exchange_weak(seen, now_inside)) {
          }
          char byte = 0;
          EXPECT_EQ(::read(ends[0], &byte, 1), 1);
          --inside;
        });
        ended.fetch_add(1);
      });
      go([&] {
        sleep(1us);
        others.fetch_add(1);
      });
    }
    while (ended != kCalls || others != kCalls) yield();
    EXPECT_LE(rt::threads(), kThreads);
  });
  outside.join();
  EXPECT_EQ(most, kThreads);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::AnyOf("", HasSubstr("no thread to run")));
  ::close(ends[0]);
  ::close(ends[1]);
}

[[gnu::noinline]] void nap_on_purpose(std::chrono::milliseconds time) {
  const timespec nap{0, std::chrono::nanoseconds(time).count()};
  EXPECT_EQ(::nanosleep(&nap, nullptr), 0);  // is not interrupted
  asm volatile("");
}

std::mutex reported_lock;
std::string reported;

void keep_report(std::string_view text) {
  const std::lock_guard guard(reported_lock);
  reported += text;
}

// Others may be there: the kernel can keep any thread waiting for that long.
std::size_t reports_of(std::string_view function) {
  const std::lock_guard guard(reported_lock);
  std::size_t count = 0;
  for (std::size_t at = reported.find(function); at != std::string::npos;
       at = reported.find(function, at + 1))
    ++count;
  return count;
}

TEST(Sysmon, ReportsEachPlaceOnce) {
  reported.clear();
  rt::set_stuck_hook(&keep_report);
  run({.procs = 2, .stuck_report = 20ms}, [] {
#if !defined(__SANITIZE_THREAD__)  // delivers no signal to a thread that calls nothing
    std::atomic<bool> stop{false};
    std::atomic<bool> ended{false};
    go([&] {
      while (reports_of("compute_until") == 0) sleep(1ms);
      stop = true;
      ended = true;
    });
    // The second and third time for long enough, too.
    for (int time = 0; time < 3; ++time) {
      compute_until(stop);
      await(ended);
      EXPECT_EQ(reports_of("compute_until"), 1);
      stop = false;
      ended = false;
      go([&] {
        sleep(30ms);
        stop = true;
        ended = true;
      });
      yield();
    }
    await(ended);
#endif
    yield();  // another stay
    while (reports_of(" ms in a system call; ") == 0) nap_on_purpose(50ms);
  });
  rt::set_stuck_hook(nullptr);
  EXPECT_THAT(reported, HasSubstr("main has held its P for "));
#if !defined(__SANITIZE_THREAD__)
  EXPECT_THAT(reported, HasSubstr(" ms computing; "));
#endif
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // their wrappers are in between
  EXPECT_THAT(reported, HasSubstr("nap_on_purpose"));
#endif
}

TEST(Sysmon, MarkedCallsAreNotReported) {
  ::testing::internal::CaptureStderr();
  run({.procs = 1, .stuck_report = 5ms}, [] { blocking([] { ::usleep(60'000); }); });
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), Not(HasSubstr("has held its P")));
}

}  // namespace
}  // namespace degu
