// Misuse that breaks an invariant ends the process and says what, which object, and what to do. After golang/go
// src/sync/mutex_test.go (MutexMisuse), waitgroup_test.go and golang/x/sync semaphore_test.go (Panic).
#include <degu/rt/run.h>
#include <degu/sync/cond.h>
#include <degu/sync/mutex.h>
#include <degu/sync/once.h>
#include <degu/sync/pool.h>
#include <degu/sync/rw_mutex.h>
#include <degu/sync/semaphore.h>
#include <degu/sync/single_flight.h>
#include <degu/sync/task_group.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace degu {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Cond Copy: what Go finds when it runs does not compile here.
template <class T>
constexpr bool kStaysWhereItIs = !std::is_copy_constructible_v<T> && !std::is_move_constructible_v<T> &&
                                 !std::is_copy_assignable_v<T> && !std::is_move_assignable_v<T>;
static_assert(kStaysWhereItIs<Cond>);
static_assert(kStaysWhereItIs<Mutex>);
static_assert(kStaysWhereItIs<RWMutex>);
static_assert(kStaysWhereItIs<Once>);
static_assert(kStaysWhereItIs<WaitGroup>);
static_assert(kStaysWhereItIs<TaskGroup>);
static_assert(kStaysWhereItIs<Semaphore>);
static_assert(kStaysWhereItIs<Pool<int>>);

class MisuseDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

// The address is that of the child process, so only its form is known here.
auto says(const std::string& what, const std::string& advice) {
  return AllOf(::testing::ContainsRegex(what), HasSubstr(advice));
}

TEST_F(MisuseDeathTest, Mutex) {
  const auto said = says("unlock of unlocked Mutex 0x[0-9a-f]+: ", "unlock it once for each lock()");
  EXPECT_DEATH(
      {
        Mutex mutex;
        mutex.unlock();
      },
      said);
  EXPECT_DEATH(
      {
        Mutex mutex;
        mutex.lock();
        mutex.unlock();
        mutex.unlock();
      },
      said);
}

TEST_F(MisuseDeathTest, RWMutexUnlock) {
  const auto said =
      says("unlock of RWMutex 0x[0-9a-f]+ that nobody writes: ", "unlock_shared() ends lock_shared()");
  EXPECT_DEATH(
      {
        RWMutex mutex;
        mutex.unlock();
      },
      said);
  EXPECT_DEATH(
      {
        RWMutex mutex;
        mutex.lock_shared();
        mutex.unlock();
      },
      said);
  EXPECT_DEATH(
      {
        RWMutex mutex;
        mutex.lock();
        mutex.unlock();
        mutex.unlock();
      },
      said);
}

TEST_F(MisuseDeathTest, RWMutexUnlockShared) {
  const auto said = says("unlock_shared of RWMutex 0x[0-9a-f]+ that nobody reads: ", "unlock() ends lock()");
  EXPECT_DEATH(
      {
        RWMutex mutex;
        mutex.unlock_shared();
      },
      said);
  EXPECT_DEATH(
      {
        RWMutex mutex;
        mutex.lock();
        mutex.unlock_shared();
      },
      said);
  EXPECT_DEATH(
      {
        RWMutex mutex;
        mutex.lock_shared();
        mutex.unlock_shared();
        mutex.unlock_shared();
      },
      said);
}

// In a goroutine the report names it.
TEST_F(MisuseDeathTest, NamesTheGoroutine) {
  EXPECT_DEATH(run([] {
                 go({.name = "careless"}, [] {
                   Mutex mutex;
                   mutex.unlock();
                 });
                 sleep(std::chrono::minutes(1));
               }),
               AllOf(HasSubstr("unlock of unlocked Mutex"), HasSubstr("careless")));
}

TEST_F(MisuseDeathTest, WaitGroup) {
  const auto said =
      says("WaitGroup counter is negative \\(-1\\) in WaitGroup 0x[0-9a-f]+: ", "done() once in each");
  EXPECT_DEATH(
      {
        WaitGroup wg;
        wg.add(1);
        wg.done();
        wg.done();
      },
      said);
  EXPECT_DEATH(
      {
        WaitGroup wg;
        wg.add(2);
        wg.add(-3);
      },
      said);
}

TEST_F(MisuseDeathTest, Semaphore) {
  EXPECT_DEATH(
      {
        Semaphore semaphore(1);
        semaphore.release(1);
      },
      says("Semaphore 0x[0-9a-f]+: 1 permits released that were not held: ", "what acquire() took"));
  EXPECT_DEATH(
      {
        Semaphore semaphore(2);
        static_cast<void>(semaphore.try_acquire(1));
        semaphore.release(2);
      },
      HasSubstr("2 permits released that were not held"));
  EXPECT_DEATH(
      {
        Semaphore semaphore(2);
        static_cast<void>(semaphore.try_acquire(-1));
      },
      says("Semaphore 0x[0-9a-f]+: ", "negative number of permits: -1"));
}

// What Go refuses (reused before wait() returned) is legal here: a waiter is released by the end of its own round, and
// looks at nothing afterwards.
TEST(WaitGroup, MayBeReusedWhileFormerWaitersAreOnTheirWay) {
  run({.procs = 1}, [] {
    WaitGroup wg;
    WaitGroup waiters;
    wg.add(1);
    int through = 0;
    for (int i = 0; i < 3; ++i) {
      waiters.go([&] {
        wg.wait();
        ++through;
      });
    }
    while (!wg.has_waiters_for_test()) yield();
    yield();
    wg.done();
    wg.add(1);  // a new round, before any of them has run
    waiters.wait();
    EXPECT_EQ(through, 3);
    wg.done();
  });
}

}  // namespace
}  // namespace degu
