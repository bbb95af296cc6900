#include <degu/base/random.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/run.h>
#include <degu/rt/timer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <vector>

namespace degu::rt {
namespace {

using namespace std::chrono_literals;

int64_t in_ns(TimePoint time) { return std::chrono::nanoseconds(time.time_since_epoch()).count(); }

constexpr TimerCalls kNever{[](void*, uint32_t) { ADD_FAILURE() << "fired"; }};

// One look may miss timers that sysmon is moving to a stand-in; of two, one sees them: see move_timers().
int64_t earliest_of_two_looks(Scheduler& sched) {
  const int64_t first = earliest_timer(sched);
  return std::min(first, earliest_timer(sched));
}

// Against a map, at each step: what is known of the earliest, and what a stop says.
TEST(Timer, NoneIsEarlierThanIsKnown) {
  run({.procs = 1}, [] {
    Scheduler& sched = *default_scheduler();
    Random random(7);
    std::vector<Timer> timers(200);
    std::map<const Timer*, int64_t> armed;
    for (int step = 0; step < 20'000; ++step) {
      // Few at a time, many at a time.
      const uint32_t live = step / 1000 % 2 == 0 ? 10 : 200;
      Timer& timer = timers[random.below(live)];
      const bool is_armed = armed.erase(&timer) != 0;
      ASSERT_EQ(timer_stop(timer), is_armed);
      if (!is_armed) {
        const TimePoint when = now() + 1h + std::chrono::nanoseconds(random.below(50));
        ASSERT_TRUE(timer_start(timer, when, kNever, nullptr, 0));
        armed[&timer] = in_ns(when);
      }
      int64_t first = kNoTimer;
      for (const auto& [_, when] : armed) first = std::min(first, when);
      const int64_t known = earliest_of_two_looks(sched);
      ASSERT_LE(known, first);
      ASSERT_EQ(known == kNoTimer, armed.empty());
    }
    for (const auto& [timer, _] : armed) EXPECT_TRUE(timer_stop(*const_cast<Timer*>(timer)));
    EXPECT_EQ(earliest_of_two_looks(sched), kNoTimer);
  });
}

// What was known of one that has been stopped is corrected when its time comes.
TEST(Timer, AStoppedOneIsLookedForOnce) {
  run({.procs = 1}, [] {
    Scheduler& sched = *default_scheduler();
    const TimePoint late = now() + 1h;
    Timer far;
    Timer near;
    ASSERT_TRUE(timer_start(far, late, kNever, nullptr, 0));
    ASSERT_TRUE(timer_start(near, now() + 1ms, kNever, nullptr, 0));
    ASSERT_TRUE(timer_stop(near));
    while (earliest_of_two_looks(sched) != in_ns(late)) yield();
    ASSERT_TRUE(timer_stop(far));
    EXPECT_EQ(earliest_of_two_looks(sched), kNoTimer);
  });
}

struct Firing {
  Timer timer;
  TimePoint when;
  std::atomic<int> fired{0};
  std::atomic<bool> early{false};
  std::atomic<int>* left = nullptr;

  void start(TimePoint time) {
    when = time;
    static constexpr TimerCalls kCalls{[](void* arg, uint32_t seq) {
      auto* self = static_cast<Firing*>(arg);
      if (now() < self->when || seq != 3) self->early = true;
      self->fired.fetch_add(1);
      self->left->fetch_sub(1);
    }};
    timer_start(timer, time, kCalls, this, 3);
  }
};

TEST(Timer, FiresOnceAndNeverEarlyWhatIsNotStopped) {
  for (const int procs : {1, 2, 4}) {
    run({.procs = procs}, [] {
      Random random(11);
      for (int round = 0; round < 50; ++round) {
        std::array<Firing, 100> firings;
        std::atomic<int> left{static_cast<int>(firings.size())};
        for (Firing& firing : firings) {
          firing.left = &left;
          firing.start(now() + std::chrono::microseconds(random.below(300)));
        }
        for (std::size_t i = 0; i < firings.size(); i += 3) {
          if (!timer_stop(firings[i].timer)) continue;
          firings[i].fired.fetch_add(1);
          left.fetch_sub(1);
        }
        while (left != 0) yield();
        for (const Firing& firing : firings) {
          EXPECT_EQ(firing.fired, 1);
          EXPECT_FALSE(firing.early);
        }
      }
    });
  }
}

// A foreign thread's timers are held by a P all the same.
TEST(Timer, ForeignThreadsStartAndStop) {
  run({.procs = 2}, [] {
    std::atomic<bool> done{false};
    std::thread foreign([&] {
      std::array<Timer, 40> timers;
      for (Timer& timer : timers) EXPECT_TRUE(timer_start(timer, now() + 1h, kNever, nullptr, 0));
      for (Timer& timer : timers) EXPECT_TRUE(timer_stop(timer));
      std::atomic<int> left{1};
      Firing firing;
      firing.left = &left;
      firing.start(now());
      while (left != 0) std::this_thread::yield();
      EXPECT_FALSE(timer_stop(firing.timer));
      done = true;
    });
    while (!done) yield();
    foreign.join();
  });
}

TEST(Timer, WithoutASchedulerThereIsNone) {
  Timer timer;
  EXPECT_FALSE(timer_start(timer, now(), kNever, nullptr, 0));
  EXPECT_FALSE(timer_stop(timer));
}

}  // namespace
}  // namespace degu::rt
