// The search for goroutines that wait for each other (degu/rt/deadlock.h), through the primitives of this layer.
#include <degu/rt/cancel.h>
#include <degu/rt/deadlock.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/leak_check.h>
#include <degu/sync/chan.h>
#include <degu/sync/mutex.h>
#include <degu/sync/rw_mutex.h>
#include <degu/sync/task_group.h>
#include <degu/sync/testing/keep.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

namespace degu {
namespace {

using namespace std::chrono_literals;
using degu::testing::keep;
using degu::testing::until;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<rt::StuckCycle> wait_for_cycles(std::size_t count) {
  std::vector<rt::StuckCycle> cycles;
  until([&] { return (cycles = rt::find_stuck_cycles(0ns)).size() == count; });
  return cycles;
}

// Each of two goroutines holds one and wants the other.
template <class First, class Second>
void cross(First& first, Second& second) {
  auto& held = keep<std::atomic<int>>();
  go({.name = "left"}, [&] {
    first.lock();
    held.fetch_add(1);
    until([&] { return held == 2; });
    second.lock();
  });
  go({.name = "right"}, [&] {
    second.lock();
    held.fetch_add(1);
    until([&] { return held == 2; });
    first.lock();
  });
}

TEST(StuckCycles, TwoMutexesInOppositeOrder) {
  for (const int procs : {1, 2, 8}) {
    run({.procs = procs}, [] {
      cross(keep<Mutex>(), keep<Mutex>());
      const auto cycles = wait_for_cycles(1);
      EXPECT_THAT(cycles[0].report, HasSubstr("2 goroutines wait for each other and will wait for ever"));
      EXPECT_THAT(cycles[0].report,
                  ContainsRegex("goroutine [0-9]+ left waits for mutex 0x[0-9a-f]+, held by "
                                "goroutine [0-9]+ right"));
      EXPECT_THAT(cycles[0].report,
                  ContainsRegex("goroutine [0-9]+ right waits for mutex 0x[0-9a-f]+, held by "
                                "goroutine [0-9]+ left"));
      EXPECT_THAT(cycles[0].report, ContainsRegex("goroutine [0-9]+ left .mutex on 0x"));  // its stack
      EXPECT_EQ(rt::find_stuck_cycles(0ns)[0].key, cycles[0].key);
      EXPECT_THAT(rt::find_stuck_cycles(1h), IsEmpty());  // nobody has waited for so long
    });
  }
}

TEST(StuckCycles, MutexLockedTwice) {
  run([] {
    auto& mutex = keep<Mutex>();
    go({.name = "twice"}, [&] {
      mutex.lock();
      mutex.lock();
    });
    EXPECT_THAT(wait_for_cycles(1)[0].report, HasSubstr("1 goroutine waits for itself"));
  });
}

TEST(StuckCycles, WritersOfRWMutexes) {
  run([] {
    cross(keep<RWMutex>(), keep<RWMutex>());
    wait_for_cycles(1);
  });
}

TEST(StuckCycles, ReaderThatWaitsForAWriter) {
  run([] {
    struct Reader {
      RWMutex& rw;
      void lock() { rw.lock_shared(); }
    };
    auto& rw = keep<RWMutex>();
    auto& mutex = keep<Mutex>();
    auto& held = keep<std::atomic<int>>();
    go({.name = "writer"}, [&] {
      rw.lock();
      held.fetch_add(1);
      until([&] { return held == 2; });
      mutex.lock();
    });
    go({.name = "reader"}, [&] {
      mutex.lock();
      held.fetch_add(1);
      until([&] { return held == 2; });
      rw.lock_shared();
    });
    EXPECT_THAT(
        wait_for_cycles(1)[0].report,
        ContainsRegex("reader waits for rwmutex .read. 0x[0-9a-f]+, held by goroutine [0-9]+ writer"));
  });
}

TEST(StuckCycles, TaskThatWantsTheLockOfItsGroupsWaiter) {
  run([] {
    auto& mutex = keep<Mutex>();
    go({.name = "parent"}, [&] {
      auto& group = keep<std::unique_ptr<TaskGroup>>();
      group = std::make_unique<TaskGroup>();
      mutex.lock();
      group->go([&] { mutex.lock(); });
      group->go([] { sleep(1h); });  // another task, which could end
      group->wait();
    });
    EXPECT_THAT(
        wait_for_cycles(1)[0].report,
        ContainsRegex("parent waits for wait group 0x[0-9a-f]+, of which a task is goroutine [0-9]+"));
  });
}

TEST(StuckCycles, TaskThatWaitsForItsOwnGroup) {
  run([] {
    auto*& group = keep<WaitGroup*>();
    group = new WaitGroup;  // never destroyed: that would wait
    WaitGroup& wg = *group;
    wg.go([&] { wg.wait(); });
    wait_for_cycles(1);
  });
}

TEST(StuckCycles, LongCycleBesideAChainThatHangsOnIt) {
  run([] {
    constexpr std::size_t kCount = 50;
    auto& mutexes = keep<std::array<Mutex, kCount>>();
    auto& held = keep<std::atomic<std::size_t>>();
    for (std::size_t i = 0; i < kCount; ++i) {
      go([&, i] {
        mutexes[i].lock();
        held.fetch_add(1);
        until([&] { return held == kCount; });
        mutexes[(i + 1) % kCount].lock();
      });
    }
    until([&] { return held == kCount; });
    go([&] { mutexes[7].lock(); });
    EXPECT_THAT(wait_for_cycles(1)[0].report, HasSubstr("50 goroutines wait for each other"));
  });
}

// --- no false alarm

TEST(StuckCycles, NoneWhereTimeOrTheContextMayEndAWait) {
  run([] {
    auto& first = keep<Mutex>();
    auto& second = keep<Mutex>();
    auto& held = keep<std::atomic<int>>();
    go([&] {
      first.lock();
      held.fetch_add(1);
      until([&] { return held == 2; });
      EXPECT_FALSE(second.try_lock_for(20ms));
      first.unlock();
    });
    second.lock();
    held.fetch_add(1);
    until([&] { return first.has_waiters_for_test() || second.has_waiters_for_test(); });
    EXPECT_THAT(rt::find_stuck_cycles(0ns), IsEmpty());
    first.lock();  // comes free when the other's patience ends
    second.unlock();
    first.unlock();
  });
}

TEST(StuckCycles, NoneThroughAWaitGroupThatTheContextEnds) {
  run([] {
    const LeakCheck all_end;
    auto& mutex = keep<Mutex>();
    auto& waits = keep<std::atomic<bool>>();
    Ref<rt::CancelNode> node = rt::CancelNode::make(nullptr);
    go([&] {
      rt::exchange_context(make_ref<rt::ContextBase>(node));
      mutex.lock();
      WaitGroup wg;
      wg.go([&] { const std::scoped_lock lock(mutex); });
      until([&] { return mutex.has_waiters_for_test(); });
      waits = true;
      EXPECT_THROW(wg.wait(), Cancelled);
      mutex.unlock();
      waits = false;
    });
    until([&] { return waits.load(); });
    for (int i = 0; i < 20; ++i) {
      EXPECT_THAT(rt::find_stuck_cycles(0ns), IsEmpty());
      yield();
    }
    node->cancel(Code::kCancelled);
    until([&] { return !waits; });
  });
}

TEST(StuckCycles, NoneWhereAChannelIsPartOfTheCircle) {
  run([] {
    auto& mutex = keep<Mutex>();
    auto chan = make_chan<int>();
    std::atomic<bool> done{false};
    go([&] {
      mutex.lock();
      chan.recv();
      mutex.unlock();
      done = true;
    });
    until([&] { return degu::testing::receiver_waits(chan); });
    go([&] { const std::scoped_lock lock(mutex); });
    until([&] { return mutex.has_waiters_for_test(); });
    EXPECT_THAT(rt::find_stuck_cycles(0ns), IsEmpty());
    chan.send(1);
    until([&] { return done && mutex.try_lock(); });
    mutex.unlock();
  });
}

TEST(StuckCycles, NoneAmongGoroutinesThatComeAndGoWithTheirLocks) {
  run({.procs = 2}, [] {
    std::atomic<int> left{4};
    for (int i = 0; i < 4; ++i) {
      go([&, i] {
        for (int round = 0; round < 300; ++round) {
          auto first = std::make_unique<Mutex>();  // freed while the search may look at it
          Mutex second;
          WaitGroup wg;
          for (int k = 0; k < 3; ++k) {
            wg.go([&] {
              const std::scoped_lock lock(*first);
              yield();
              const std::scoped_lock inner(second);
              if ((round + i) % 3 == 0) yield();
            });
          }
          wg.wait();
        }
        left.fetch_sub(1);
      });
    }
    while (left != 0) {
      EXPECT_THAT(rt::find_stuck_cycles(0ns), IsEmpty());
      yield();
    }
  });
}

// --- the watch

std::vector<std::string>& reports() {
  static auto* all = new std::vector<std::string>;
  return *all;
}

TEST(StuckWatch, ReportsACycleOnceWhenSeenTwice) {
  reports().clear();
  rt::set_stuck_hook([](std::string_view text) { reports().emplace_back(text); });
  run({.stuck_report = 0ns}, [] {
    cross(keep<Mutex>(), keep<Mutex>());
    wait_for_cycles(1);
    rt::report_stuck_cycles(0ns);
    EXPECT_THAT(reports(), IsEmpty());
    rt::report_stuck_cycles(0ns);
    EXPECT_EQ(reports().size(), 1U);
    rt::report_stuck_cycles(0ns);
    EXPECT_EQ(reports().size(), 1U);
    cross(keep<Mutex>(), keep<Mutex>());
    wait_for_cycles(2);
    rt::report_stuck_cycles(0ns);
    rt::report_stuck_cycles(0ns);
    EXPECT_EQ(reports().size(), 2U);
  });
  rt::set_stuck_hook(nullptr);
}

TEST(StuckWatch, RunsBesideTheScheduler) {
  static std::atomic<int> count{0};
  rt::set_stuck_hook([](std::string_view text) {
    if (text.find("left") != std::string_view::npos) count.fetch_add(1);
  });
  rt::set_stuck_after(20ms);
  run({.stuck_report = 0ns}, [] {
    cross(keep<Mutex>(), keep<Mutex>());
    while (count == 0) sleep(1ms);
  });
  rt::set_stuck_after(10s);
  rt::set_stuck_hook(nullptr);
  EXPECT_EQ(count, 1);
}

TEST(StuckWatch, CanBeSwitchedOff) {
  static std::atomic<int> count{0};
  rt::set_stuck_hook([](std::string_view) { count.fetch_add(1); });
  rt::set_stuck_after(0ns);
  run({.stuck_report = 0ns}, [] {
    cross(keep<Mutex>(), keep<Mutex>());
    wait_for_cycles(1);
    sleep(50ms);
  });
  rt::set_stuck_after(10s);
  rt::set_stuck_hook(nullptr);
  EXPECT_EQ(count, 0);
}

}  // namespace
}  // namespace degu
