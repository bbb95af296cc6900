// What a program prints when it has to end: the rows of Go's crash_test (RecursivePanic*, PanicAfterGoexit,
// PanicTraceback, StackOverflow) with C++'s ways to fail, and misuse of run(), go() and waits.
#include <degu/base/assert.h>
#include <degu/base/cpu.h>
#include <degu/base/error.h>
#include <degu/base/time.h>
#include <degu/rt/cancel.h>
#include <degu/rt/internal/switch.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/rt/timer.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>

namespace degu {
namespace {

using namespace std::chrono_literals;

class CrashDeathTest : public ::testing::Test {
 protected:
  CrashDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  // `body` runs in a goroutine called worker.
  template <class F>
  static void in_worker(F body) {
    run([&] {
      go({.name = "worker"}, body);
      sleep(1min);
    });
  }
};

#define EXPECT_CRASH(body, text) \
  EXPECT_EXIT(in_worker(body), ::testing::KilledBySignal(SIGABRT), text "(.|\n)*goroutine [0-9]+ worker")

// --- exceptions that nobody catches

TEST_F(CrashDeathTest, ExceptionThatIsNoStdException) {
  EXPECT_CRASH([] { throw 42; }, "degu: fatal: uncaught exception int\n");
}

TEST_F(CrashDeathTest, ExceptionThrownWhileAnotherIsHandled) {
  EXPECT_CRASH(
      [] {
        try {
          throw std::runtime_error("first");
        } catch (const std::runtime_error&) {
          throw std::logic_error("second");
        }
      },
      "degu: fatal: uncaught exception std::logic_error: second\n");
}

TEST_F(CrashDeathTest, CausesAreShown) {
  EXPECT_CRASH(
      [] {
        try {
          try {
            throw std::runtime_error("disk full");
          } catch (const std::runtime_error&) {
            std::throw_with_nested(std::logic_error("no log"));
          }
        } catch (const std::exception&) {
          throw Error(Code::kInternal, "no start").with_cause(std::current_exception());
        }
      },
      "uncaught exception degu::Error: INTERNAL: no start\n"
      "  caused by .*std::logic_error.*: no log\n"
      "  caused by std::runtime_error: disk full\n");
}

struct ThrowsAtItsEnd {
  ~ThrowsAtItsEnd() noexcept(false) { throw std::logic_error("from a destructor"); }
};

TEST_F(CrashDeathTest, DestructorThatThrowsDuringUnwinding) {
  EXPECT_CRASH(
      [] {
        const ThrowsAtItsEnd guard;
        throw std::runtime_error("first");
      },
      "uncaught exception std::logic_error: from a destructor\n");
}

TEST_F(CrashDeathTest, DestructorThatThrowsWhileACancelledGoroutineUnwinds) {
  EXPECT_CRASH(
      [] {
        Ref<rt::CancelNode> node = rt::CancelNode::make(nullptr);
        rt::exchange_context(make_ref<rt::ContextBase>(node));
        node->cancel(Code::kCancelled);
        const ThrowsAtItsEnd guard;
        sleep(1h);
      },
      "uncaught exception std::logic_error: from a destructor\n");
}

[[gnu::noinline]] void fail(const char* why) { throw std::runtime_error(why); }

void promises_not_to_throw() noexcept { fail("broken promise"); }

TEST_F(CrashDeathTest, ThrowThroughNoexcept) {
  EXPECT_CRASH([] { promises_not_to_throw(); }, "uncaught exception std::runtime_error: broken promise\n");
}

TEST_F(CrashDeathTest, TerminateWithoutAnException) {
  EXPECT_CRASH([] { std::terminate(); }, "degu: fatal: std::terminate\n");
}

struct Unspeakable : std::exception {
  const char* what() const noexcept override {
    fail("what() throws");
    return "";
  }
};

TEST_F(CrashDeathTest, TerminateInsideTheReport) {
  EXPECT_EXIT(in_worker([] { throw Unspeakable(); }), ::testing::KilledBySignal(SIGABRT),
              "std::terminate while an uncaught exception was reported");
}

TEST_F(CrashDeathTest, FailedCheckShowsTheGoroutine) {
  EXPECT_CRASH(
      [] { DEGU_CHECK(1 + 1 == 3, "arithmetic is off by {}", 1); },
      "degu: fatal: arithmetic is off by 1\n  check .1 . 1 == 3. failed at .*crash_test.cc:[0-9]+\n");
}

// --- stacks

#if !defined(DEGU_ASAN) && !defined(DEGU_TSAN)
int recurse(int depth) {
  volatile char frame[512];
  frame[0] = static_cast<char>(depth);
  return depth == 0 ? 0 : recurse(depth - 1) + frame[0];
}

TEST_F(CrashDeathTest, StackOverflowSaysHowLargeTheStackWasAndWhatToDo) {
  EXPECT_CRASH([] { recurse(1 << 20); },
               "stack overflow in goroutine [0-9]+ worker: its stack of 256 KiB is used "
               "up\n.*stack_bytes.*with_stack");
  EXPECT_EXIT(run([] {
                go({.name = "small", .stack_bytes = 1}, [] { recurse(1 << 20); });
                sleep(1min);
              }),
              ::testing::KilledBySignal(SIGABRT),
              "goroutine [0-9]+ small: its stack of 64 KiB(.|\n)*recurse");
}

TEST_F(CrashDeathTest, StackOverflowInsideWithStack) {
  EXPECT_CRASH([] { with_stack(700 * 1024, [] { recurse(1 << 20); }); },
               "worker: its stack of 1024 KiB is used up");
}

TEST_F(CrashDeathTest, AFaultThatIsNoOverflowIsLeftToTheSystem) {
  EXPECT_EXIT(in_worker([] {
                volatile int* volatile nowhere = nullptr;
                *nowhere = 1;
              }),
              ::testing::KilledBySignal(SIGSEGV), "");
}
#endif

// --- misuse

TEST_F(CrashDeathTest, GoWithoutRun) {
  EXPECT_DEATH(go([] {}), "degu::go without a scheduler: call it inside degu::run");
}

TEST_F(CrashDeathTest, RunInsideAGoroutine) {
  EXPECT_CRASH([] { run([] {}); }, "degu::run inside a goroutine");
}

TEST_F(CrashDeathTest, SecondRunAtATime) {
  EXPECT_DEATH(run([] {
                 std::thread([] { run([] {}); }).detach();
                 sleep(1min);
               }),
               "a second degu::run while one is running");
}

TEST_F(CrashDeathTest, StackThatIsTooLarge) {
  EXPECT_CRASH([] { go({.stack_bytes = 1U << 30}, [] {}); },
               "a goroutine stack of 1073741824 bytes was asked for; the largest is 8388608");
}

TEST_F(CrashDeathTest, WaitInATimerFunction) {
  EXPECT_DEATH(
      run([] {
        static constexpr rt::TimerCalls kWaits{[](void*, uint32_t) { sleep(1s); }};
        rt::Timer timer;
        rt::timer_start(timer, now() + 1ms, kWaits, nullptr, 0);
        sleep(1min);
      }),
      "a wait .sleep. on a scheduler's own stack: timer functions and cancel callbacks must not wait");
}

// --- the flight record of a program that fails

// In the parent, as the child ends before it could look.
std::string read_and_remove(const std::string& path) {
  std::ifstream file(path);
  std::string text(std::istreambuf_iterator<char>(file), {});
  std::remove(path.c_str());
  return text;
}

class TraceDeathTest : public CrashDeathTest {
 protected:
  // A death test starts the program anew, with the environment: both sides have the same file.
  TraceDeathTest() {
    constexpr const char* kVariable = "DEGU_TEST_TRACE";
    path_ = ::testing::TempDir() + "degu_trace_on_failure." + std::to_string(::getpid());
    if (::setenv(kVariable, path_.c_str(), 0) == 0) path_ = std::getenv(kVariable);
  }

  void expect_trace(const std::string& note) {
    const std::string trace = read_and_remove(path_);
    EXPECT_NE(trace.find("\"traceEvents\""), std::string::npos) << trace;
    EXPECT_NE(trace.find("\"name\":\"worker "), std::string::npos) << trace;
    EXPECT_NE(trace.find("\"stopped by\":\"sleep\""), std::string::npos) << trace;
    EXPECT_NE(trace.find(note + "\",\"ph\":\"i\""), std::string::npos) << trace;
    EXPECT_EQ(trace.substr(trace.size() - 4), "\n]}\n");
    EXPECT_EQ(std::count(trace.begin(), trace.end(), '{'), std::count(trace.begin(), trace.end(), '}'));
  }

  std::string path_;

  template <class F>
  void in_traced_worker(F body) {
    run({.trace_on_failure = path_}, [&] {
      go({.name = "worker"}, [&] {
        sleep(1ms);
        body();
      });
      sleep(1min);
    });
  }
};

TEST_F(TraceDeathTest, OfAnUncaughtException) {
  EXPECT_EXIT(in_traced_worker([] { throw 42; }), ::testing::KilledBySignal(SIGABRT),
              "goroutine [0-9]+ worker(.|\n)*last scheduling events are in ");
  expect_trace("worker failed");
}

TEST_F(TraceDeathTest, OfAFailedCheck) {
  EXPECT_EXIT(in_traced_worker([] { DEGU_CHECK(1 + 1 == 3); }), ::testing::KilledBySignal(SIGABRT),
              "goroutine [0-9]+ worker(.|\n)*last scheduling events are in ");
  expect_trace("worker failed");
}

#if !defined(DEGU_ASAN) && !defined(DEGU_TSAN)
TEST_F(TraceDeathTest, OfAStackOverflow) {
  EXPECT_EXIT(in_traced_worker([] { recurse(1 << 20); }), ::testing::KilledBySignal(SIGABRT),
              "stack overflow(.|\n)*last scheduling events are in ");
  expect_trace("worker failed");
}
#endif

TEST_F(TraceDeathTest, OfADeadlockWhereTheEnvironmentAsksForIt) {
  EXPECT_EXIT(
      {
        ::setenv("DEGU_TRACE_ON_FAILURE", path_.c_str(), 1);
        run([] {
          go({.name = "worker"}, [] {
            sleep(1ms);
            rt::begin_wait(rt::Interrupt::kIgnore);
            rt::park(rt::WaitReason::kChanRecv, nullptr);
          });
          rt::begin_wait(rt::Interrupt::kIgnore);
          rt::park(rt::WaitReason::kChanRecv, nullptr);
        });
      },
      ::testing::ExitedWithCode(2), "deadlock(.|\n)*last scheduling events are in ");
  expect_trace("deadlock");
}

TEST_F(TraceDeathTest, SaysSoWhenItCannotBeWritten) {
  EXPECT_EXIT(run({.trace_on_failure = "/nowhere/trace.json"},
                  [] {
                    go({.name = "worker"}, [] { throw 42; });
                    sleep(1min);
                  }),
              ::testing::KilledBySignal(SIGABRT),
              "no trace was written to /nowhere/trace.json: No such file");
}

// --- DEGU_MAXPROCS

[[noreturn]] void print_procs(const char* maxprocs) {
  ::setenv("DEGU_MAXPROCS", maxprocs, 1);
  run([] { fmt::print(stderr, "procs: {}\n", rt::procs()); });
  std::_Exit(0);
}

TEST_F(CrashDeathTest, ANumberOfProcsThatIsNoneIsReported) {
  for (const char* bad : {"abc", "-1", "0", "1e9", "257", " 2", "2x", "99999999999999999999"}) {
    EXPECT_EXIT(print_procs(bad), ::testing::ExitedWithCode(0),
                fmt::format("degu: DEGU_MAXPROCS is \"{0}\": a number from 1 to 256 is accepted; "
                            "going on with {1}, as without it\nprocs: {1}\n",
                            bad, available_cpus()));
  }
  for (const char* good : {"1", "3", "256"}) {
    EXPECT_EXIT(print_procs(good), ::testing::ExitedWithCode(0), fmt::format("^procs: {}\n$", good));
  }
  EXPECT_EXIT(print_procs(""), ::testing::ExitedWithCode(0), fmt::format("^procs: {}\n$", available_cpus()));
}

}  // namespace
}  // namespace degu
