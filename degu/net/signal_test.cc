// After Go's os/signal tests. raise, not kill: TSan defers a signal that meets a thread inside a system call it does not
// know, such as our futex.
#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/signal.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <vector>

namespace degu::net {
namespace {

bool is_default(int signal) {
  struct sigaction action {};
  ::sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_DFL;
}

TEST(SignalSet, DeliversToAGoroutine) {
  run([] {
    SignalSet signals{SIGUSR1, SIGUSR2};
    go([] { ::raise(SIGUSR2); });
    EXPECT_EQ(signals.wait(), SIGUSR2);
    ::raise(SIGUSR1);
    EXPECT_EQ(signals.wait(), SIGUSR1);
  });
}

TEST(SignalSet, SeveralGetTheSameSignal) {
  all_shapes([] {
    auto first = std::make_unique<SignalSet>(std::initializer_list<int>{SIGUSR1});
    SignalSet second{SIGUSR1, SIGUSR2};
    ::raise(SIGUSR1);
    EXPECT_EQ(first->wait(), SIGUSR1);
    EXPECT_EQ(second.wait(), SIGUSR1);
    first.reset();
    EXPECT_FALSE(is_default(SIGUSR1));
    ::raise(SIGUSR1);
    EXPECT_EQ(second.wait(), SIGUSR1);
    second.stop();
    EXPECT_TRUE(is_default(SIGUSR1));
    EXPECT_TRUE(is_default(SIGUSR2));
    EXPECT_THROW(second.wait(), Error);
  });
}

TEST(SignalSet, GivesBackWhatTheProcessDidBefore) {
  run([] {
    ::signal(SIGUSR2, SIG_IGN);
    { const SignalSet signals{SIGUSR2}; }
    EXPECT_TRUE(signal_ignored(SIGUSR2));
    ::signal(SIGUSR2, SIG_DFL);
  });
}

TEST(SignalSet, StopAndContextEndAWait) {
  all_shapes([] {
    SignalSet signals{SIGUSR1};
    {
      CancelScope scope;
      go([&] { scope.cancel(); });
      EXPECT_THROW(signals.wait(), Cancelled);
    }
    go([&] { signals.stop(); });
    try {
      signals.wait();
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kCancelled);
    }
  });
}

TEST(SignalSet, ThereIsALimit) {
  run([] {
    std::vector<std::unique_ptr<SignalSet>> sets;
    try {
      while (sets.size() < 1000)
        sets.push_back(std::make_unique<SignalSet>(std::initializer_list<int>{SIGUSR1}));
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kResourceExhausted);
    }
    sets.clear();
    EXPECT_TRUE(is_default(SIGUSR1));
  });
}

TEST(SignalSet, ManyComeAndGoWhileSignalsArrive) {
  all_shapes([] {
    SignalSet always{SIGUSR1};
    WaitGroup group;
    for (int i = 0; i < 4; ++i) {
      group.go([] {
        for (int round = 0; round < 20; ++round) {
          SignalSet signals{SIGUSR1};
          ::raise(SIGUSR1);
          EXPECT_EQ(signals.wait(), SIGUSR1);
          yield();
        }
      });
    }
    group.wait();
    EXPECT_EQ(always.wait(), SIGUSR1);
  });
}

TEST(SignalNotify, SendsToChannels) {
  all_shapes([] {
    const Chan<int> one = make_chan<int>(1);
    const Chan<int> both = make_chan<int>(2);
    SignalNotify first(one, {SIGUSR1});
    SignalNotify second(both, {SIGUSR1, SIGUSR2});
    ::raise(SIGUSR1);
    EXPECT_EQ(one.recv(), SIGUSR1);
    EXPECT_EQ(both.recv(), SIGUSR1);
    ::raise(SIGUSR2);
    EXPECT_EQ(both.recv(), SIGUSR2);
    EXPECT_EQ(one.len(), 0U);
  });
}

// Go's TestStop: after stop() nothing comes, and the signal has its former effect.
TEST(SignalNotify, StopIsAtOnce) {
  all_shapes([] {
    ::signal(SIGUSR1, SIG_IGN);
    const Chan<int> channel = make_chan<int>(1);
    SignalNotify notify(channel, {SIGUSR1});
    ::raise(SIGUSR1);
    EXPECT_EQ(channel.recv(), SIGUSR1);
    ::raise(SIGUSR1);
    notify.stop();
    const std::size_t had = channel.len();
    EXPECT_TRUE(signal_ignored(SIGUSR1));
    ::raise(SIGUSR1);
    for (int i = 0; i < 10; ++i) yield();
    EXPECT_EQ(channel.len(), had);
    notify.stop();
    ::signal(SIGUSR1, SIG_DFL);
  });
}

TEST(SignalNotify, DoesNotWaitForRoom) {
  run([] {
    const LeakCheck goroutines;
    const Chan<int> full = make_chan<int>(1);
    const Chan<int> other = make_chan<int>(3);
    const SignalNotify first(full, {SIGUSR1, SIGUSR2});
    const SignalNotify second(other, {SIGUSR1, SIGUSR2});
    for (const int signal : {SIGUSR1, SIGUSR2, SIGUSR1}) {
      ::raise(signal);
      EXPECT_EQ(other.recv(), signal);
    }
    EXPECT_EQ(full.recv(), SIGUSR1);
  });
}

TEST(SignalNotify, OutlivesTheScopeOfItsMaker) {
  run([] {
    const LeakCheck goroutines;
    const Chan<int> channel = make_chan<int>(1);
    std::optional<SignalNotify> notify;
    {
      CancelScope scope;
      notify.emplace(channel, std::initializer_list<int>{SIGUSR1});
    }
    ::raise(SIGUSR1);
    EXPECT_EQ(channel.recv(), SIGUSR1);
  });
}

TEST(Signals, IgnoreAndReset) {
  run([] {
    EXPECT_FALSE(signal_ignored(SIGUSR1));
    SignalSet signals{SIGUSR1, SIGUSR2};
    ignore_signals({SIGUSR1});
    EXPECT_TRUE(signal_ignored(SIGUSR1));
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    EXPECT_EQ(signals.wait(), SIGUSR2);
    {
      SignalSet again{SIGUSR1};
      EXPECT_FALSE(signal_ignored(SIGUSR1));
      ::raise(SIGUSR1);
      EXPECT_EQ(again.wait(), SIGUSR1);
      reset_signals({SIGUSR1, SIGUSR2});
      EXPECT_TRUE(is_default(SIGUSR1));
      EXPECT_TRUE(is_default(SIGUSR2));
    }
    EXPECT_TRUE(is_default(SIGUSR1));
  });
}

TEST(NotifyContext, EndsAtASignalAndSaysWhich) {
  all_shapes([] {
    const NotifyContext notify(current_context(), {SIGUSR1, SIGINT});
    EXPECT_FALSE(notify.context().done());
    ::raise(SIGINT);
    notify.context().wait();
    EXPECT_EQ(notify.context().err(), Code::kCancelled);
    EXPECT_EQ(notify.context().cause()->message(), "interrupt signal received");
  });
}

TEST(NotifyContext, SeveralEndAtOneSignal) {
  run([] {
    const LeakCheck goroutines;
    std::vector<std::unique_ptr<NotifyContext>> all;
    for (int i = 0; i < 10; ++i)
      all.push_back(
          std::make_unique<NotifyContext>(Context::background(), std::initializer_list<int>{SIGUSR1}));
    ::raise(SIGUSR1);
    for (const auto& notify : all) notify->context().wait();
  });
}

TEST(NotifyContext, StopEndsItAndGivesTheSignalsBack) {
  all_shapes([] {
    NotifyContext notify(Context::background(), {SIGUSR1});
    EXPECT_FALSE(is_default(SIGUSR1));
    notify.stop();
    EXPECT_TRUE(is_default(SIGUSR1));
    EXPECT_EQ(notify.context().err(), Code::kCancelled);
    notify.stop();
  });
}

TEST(NotifyContext, ItsParentEndsIt) {
  run([] {
    const LeakCheck goroutines;
    const auto [parent, cancel] = with_cancel(Context::background());
    const NotifyContext notify(parent, {SIGUSR1});
    EXPECT_FALSE(notify.context().done());
    cancel();
    notify.context().wait();
    while (!is_default(SIGUSR1)) yield();
  });
}

TEST(NotifyContext, AParentThatHasEndedBefore) {
  run([] {
    const LeakCheck goroutines;
    const auto [parent, cancel] = with_cancel(Context::background());
    cancel();
    NotifyContext notify(parent, {SIGUSR1});
    EXPECT_TRUE(notify.context().done());
    EXPECT_TRUE(is_default(SIGUSR1));
    notify.stop();
  });
}

TEST(NotifyContext, SimultaneousStops) {
  all_shapes([] {
    NotifyContext notify(Context::background(), {SIGUSR1});
    WaitGroup group;
    for (int i = 0; i < 10; ++i) group.go([&] { notify.stop(); });
    group.wait();
    EXPECT_TRUE(is_default(SIGUSR1));
  });
}

}  // namespace
}  // namespace degu::net
