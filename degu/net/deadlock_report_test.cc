// "All goroutines are asleep": exactly when it is true. The rows of Go's crash_test (Simple, Init, Locked, Netpoll
// Deadlock, NetpollWaiters), and for each thing that may still wake somebody a program that must not be reported.
#include <degu/net/signal.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/task_group.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace degu::net {
namespace {

using namespace std::chrono_literals;

// The check looks when nothing has happened for 20 ms: what follows such a pause is waited for this long.
constexpr auto kPause = 100ms;

// Blocks the thread, not the goroutine.
void hold_thread(std::chrono::milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

template <class F>
[[noreturn]] void run_and_exit(int procs, F body) {
  run({.procs = procs}, body);
  std::_Exit(0);
}

class DeadlockReportDeathTest : public ::testing::TestWithParam<int> {
 protected:
  DeadlockReportDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  template <class F>
  void expect_report(F body, const char* text) const {
    EXPECT_EXIT(run_and_exit(GetParam(), body), ::testing::ExitedWithCode(2), text);
  }
  template <class F>
  void expect_none(F body) const {
    EXPECT_EXIT(run_and_exit(GetParam(), body), ::testing::ExitedWithCode(0), "");
  }
};

INSTANTIATE_TEST_SUITE_P(Procs, DeadlockReportDeathTest, ::testing::Values(1, 2, 8));

constexpr const char* kMainWaits =
    "degu: fatal: all goroutines are asleep - deadlock!\n\n(.|\n)*goroutine [0-9]+ main .chan receive";

// --- a true one always comes

TEST_P(DeadlockReportDeathTest, Simple) {
  expect_report([] { select(); },
                "all goroutines are asleep - deadlock!\n\n(.|\n)*goroutine [0-9]+ main .select");
}

TEST_P(DeadlockReportDeathTest, OfTheFirstGoroutineBeforeThereIsAnother) {
  expect_report([] { Chan<int>().recv(); }, kMainWaits);
}

TEST_P(DeadlockReportDeathTest, SaysWhoWaitsForWhatHowLongAndWhoStartedIt) {
  expect_report(
      [] {
        static Mutex mutex;
        static WaitGroup wg;
        mutex.lock();
        wg.add(1);
        go({.name = "locker"}, [] { mutex.lock(); });
        wg.wait();
      },
      "goroutine [0-9]+ main .wait group on 0x[0-9a-f]+, [0-9]+ ms.:\n(.|\n)*WaitGroup::wait(.|\n)*"
      "goroutine [0-9]+ locker .mutex on 0x[0-9a-f]+, [0-9]+ ms.:\n(.|\n)*Mutex::lock(.|\n)*created by .* in "
      "goroutine [0-9]+");
}

TEST_P(DeadlockReportDeathTest, AfterTheOthersHaveEnded) {
  expect_report(
      [] {
        WaitGroup wg;
        for (int i = 0; i < 100; ++i) wg.go([] { yield(); });
        wg.wait();
        make_chan<int>().recv();
      },
      kMainWaits);
}

TEST_P(DeadlockReportDeathTest, AfterALongTimeOfWork) {
  expect_report(
      [] {
        // Meanwhile the other threads have gone to sleep, and have looked.
        const TimePoint until = now() + kPause;
        while (now() < until) {
        }
        make_chan<int>().recv();
      },
      kMainWaits);
}

TEST_P(DeadlockReportDeathTest, AfterTimersAndBlockingCalls) {
  expect_report(
      [] {
        WaitGroup wg;
        wg.go([] { sleep(5ms); });
        for (int i = 0; i < 4; ++i) wg.go([] { blocking([] { hold_thread(5ms); }); });
        wg.wait();
        select(recv(make_chan<int>()), after(5ms));
        make_chan<int>().recv();
      },
      kMainWaits);
}

TEST_P(DeadlockReportDeathTest, AfterSocketsWereUsedAndClosed) {
  expect_report(
      [] {
        {
          TcpListener listener = TcpListener::listen("127.0.0.1:0");
          TcpStream client = TcpStream::connect(listener.address());
          TcpStream server = listener.accept();
          client.close();
          char byte = 0;
          server.read({&byte, 1});
        }
        make_chan<int>().recv();
      },
      kMainWaits);
}

TEST_P(DeadlockReportDeathTest, WithAnOpenSocketThatNobodyWaitsFor) {
  expect_report(
      [] {
        static TcpListener listener = TcpListener::listen("127.0.0.1:0");
        make_chan<int>().recv();
      },
      kMainWaits);
}

TEST_P(DeadlockReportDeathTest, AfterAForeignThreadHasEnded) {
  expect_report(
      [] {
        std::thread([] { hold_thread(kPause); }).detach();
        make_chan<int>().recv();
      },
      kMainWaits);
}

TEST_P(DeadlockReportDeathTest, AfterADeadlineThatOnlyOneOfThemHad) {
  expect_report(
      [] {
        static Mutex mutex;
        mutex.lock();
        static Mutex other;
        other.lock();
        go([] { other.lock(); });
        EXPECT_FALSE(mutex.try_lock_for(30ms));
        make_chan<int>().recv();
      },
      kMainWaits);
}

// --- no false one

TEST_P(DeadlockReportDeathTest, NotWhileATimerRuns) {
  expect_none([] {
    auto chan = make_chan<int>();
    go([chan] {
      sleep(kPause);
      chan.send(1);
    });
    chan.recv();
  });
}

TEST_P(DeadlockReportDeathTest, NotWhileADeadlineRuns) {
  expect_none([] {
    Mutex mutex;
    mutex.lock();
    static_cast<void>(mutex.try_lock_for(kPause));
    select(recv(make_chan<int>()), after(kPause));
  });
}

TEST_P(DeadlockReportDeathTest, NotWhileABlockingCallIsInFlight) {
  expect_none([] {
    auto chan = make_chan<int>();
    go([chan] {
      blocking([] { hold_thread(kPause); });
      chan.send(1);
    });
    chan.recv();
  });
}

TEST_P(DeadlockReportDeathTest, NotWhileAForeignThreadMaySend) {
  expect_none([] {
    auto chan = make_chan<int>();
    std::thread thread([chan] {
      hold_thread(kPause);
      chan.send(1);
    });
    chan.recv();
    blocking([&] { thread.join(); });
  });
}

TEST_P(DeadlockReportDeathTest, NotWhileAForeignThreadWaitsForGoroutines) {
  expect_none([] {
    auto ask = make_chan<int>();
    auto answer = make_chan<int>();
    std::thread thread([=] {
      ask.recv();
      hold_thread(kPause);
      answer.send(1);
    });
    ask.send(1);
    answer.recv();
    blocking([&] { thread.join(); });
  });
}

TEST_P(DeadlockReportDeathTest, NotWhileASocketIsWaitedFor) {
  expect_none([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    TcpStream client = TcpStream::connect(listener.address());
    TcpStream server = listener.accept();
    const pid_t peer = ::fork();  // another process, as a thread would count by itself
    if (peer == 0) {
      hold_thread(kPause);
      const char byte = 'x';
      std::_Exit(::write(client.fd(), &byte, 1) == 1 ? 0 : 1);
    }
    char byte = 0;
    if (server.read({&byte, 1}).bytes != 1) std::_Exit(3);
    blocking([&] { ::waitpid(peer, nullptr, 0); });
  });
}

TEST_P(DeadlockReportDeathTest, NotWhileASignalIsWaitedFor) {
  expect_none([] {
    SignalSet signals{SIGALRM};
    itimerval timer{};
    timer.it_value.tv_usec = kPause / 1us;
    ::setitimer(ITIMER_REAL, &timer, nullptr);
    if (signals.wait() != SIGALRM) std::_Exit(3);
  });
}

TEST_P(DeadlockReportDeathTest, NotWhenSwitchedOff) {
  const int procs = GetParam();
  EXPECT_EXIT(
      {
        ::alarm(1);  // ends it by a signal, after several looks
        run({.procs = procs, .deadlock_report = false}, [] { make_chan<int>().recv(); });
      },
      ::testing::KilledBySignal(SIGALRM), "");
}

}  // namespace
}  // namespace degu::net
