// The poller itself: who sleeps in it is woken by what comes from elsewhere (Go's TestNetpollBreak), and a wait is ended
// by readiness, nudge, shutdown or deadline, whichever comes first.
#include <degu/base/time.h>
#include <degu/rt/netpoll.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

namespace degu::rt {
namespace {

using namespace std::chrono_literals;

// A registered pipe.
struct PolledPipe {
  PolledPipe() {
    int error = 0;
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    desc = poll_open(ends[0], &error);
    EXPECT_NE(desc, nullptr);
  }
  ~PolledPipe() {
    poll_close(desc);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void send() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  int ends[2] = {-1, -1};
  PollDesc* desc = nullptr;
};

struct CountedCall : PollCall {
  CountedCall() {
    fn = [](PollCall* self) {
      spawn_from_callback([self] { static_cast<CountedCall*>(self)->goroutines.fetch_add(1); },
                          {.name = "called"});
      static_cast<CountedCall*>(self)->calls.fetch_add(1);
    };
  }
  std::atomic<int> calls{0};
  std::atomic<int> goroutines{0};
};

void await(const std::atomic<int>& count, int value) {
  while (count != value) sleep(50us);
}

TEST(Netpoll, ACallIsUsedOnceForItsEdge) {
  all_shapes([] {
    const PolledPipe pipe;
    CountedCall call;
    for (int i = 1; i <= 20; ++i) {
      ASSERT_TRUE(poll_call(pipe.desc, Direction::kRead, call));
      EXPECT_EQ(call.calls, i - 1);
      pipe.send();
      await(call.goroutines, i);
      EXPECT_EQ(call.calls, i);
    }
    pipe.send();  // nobody has asked
    EXPECT_EQ(poll_wait(pipe.desc, Direction::kRead, now() + 10s), PollResult::kReady);
    EXPECT_EQ(call.calls, 20);
  });
}

TEST(Netpoll, ACallIsRefusedWhereAnEdgeHasCome) {
  run([] {
    const PolledPipe pipe;
    CountedCall call;
    pipe.send();
    while (poll_call(pipe.desc, Direction::kRead, call)) {  // before the poller has seen it
      await(call.calls, 1);
      call.calls = 0;
      pipe.send();
      sleep(1ms);
    }
    ASSERT_TRUE(poll_call(pipe.desc, Direction::kRead, call));
    poll_shutdown(pipe.desc);
    EXPECT_EQ(call.calls, 1);
    EXPECT_FALSE(poll_call(pipe.desc, Direction::kRead, call));
    EXPECT_EQ(call.calls, 1);
    sleep(1ms);  // the goroutines use the call
  });
}

TEST(Netpoll, ASleepingPollerIsWokenByANewGoroutine) {
  all_shapes([] {
    for (int i = 0; i < 20; ++i) {
      std::atomic<bool> started{false};
      std::thread foreign([&] { go([&] { started = true; }); });
      // Everybody sleeps, with an hour to go, until the other thread's goroutine comes.
      while (!started) sleep(50us);
      foreign.join();
    }
  });
}

TEST(Netpoll, ASleepingPollerIsWokenForAnEarlierTimer) {
  run({.procs = 2}, [] {
    const PolledPipe pipe;
    std::atomic<bool> done{false};
    go([&] {
      EXPECT_EQ(poll_wait(pipe.desc, Direction::kRead, now() + 1h), PollResult::kReady);
      done = true;
    });
    for (int i = 0; i < 50; ++i) {
      const TimePoint until = now() + 100us;
      sleep(100us);
      EXPECT_GE(now(), until);
    }
    pipe.send();
    while (!done) sleep(50us);
  });
}

TEST(Netpoll, WaitsEndByWhatComesFirst) {
  all_shapes([] {
    const PolledPipe pipe;
    EXPECT_EQ(poll_wait(pipe.desc, Direction::kRead, now() + 1ms), PollResult::kTimeout);
    std::atomic<bool> sent{false};
    go([&] {
      pipe.send();
      sent = true;
    });
    EXPECT_EQ(poll_wait(pipe.desc, Direction::kRead, kNever), PollResult::kReady);
    while (!sent) yield();  // the sender has let go of the descriptor that is closed at the end
    go([&] { poll_nudge(pipe.desc, Direction::kRead); });
    EXPECT_EQ(poll_wait(pipe.desc, Direction::kRead, kNever), PollResult::kReady);
    go([&] { poll_shutdown(pipe.desc); });
    EXPECT_EQ(poll_wait(pipe.desc, Direction::kRead, kNever), PollResult::kClosed);
    EXPECT_EQ(poll_wait(pipe.desc, Direction::kWrite, kNever), PollResult::kClosed);
  });
}

// A nudge before the wait is not lost: set_deadline() of the net layer relies on it.
TEST(Netpoll, ANudgeIsKeptForTheNextWait) {
  run([] {
    const PolledPipe pipe;
    poll_nudge(pipe.desc, Direction::kRead);
    EXPECT_EQ(poll_wait(pipe.desc, Direction::kRead, kNever), PollResult::kReady);
    EXPECT_EQ(poll_wait(pipe.desc, Direction::kRead, now() + 1ms), PollResult::kTimeout);
  });
}

}  // namespace
}  // namespace degu::rt
