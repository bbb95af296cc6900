// SignalSet, SignalNotify, NotifyContext: POSIX signals for goroutines; Go's os/signal.
//
// A signal that somebody waits for does not have its default effect, and goes to everybody who waits for it. When the
// last of them has gone, what the process did before at that signal holds again. At most 64 of them live at once.
#pragma once

#include <degu/context/context.h>
#include <degu/net/socket.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>

#include <cstddef>
#include <initializer_list>
#include <memory>

namespace degu::net {

/// While it lives, the listed signals come to wait(), one by one. Throws Error(kResourceExhausted) when there are too
/// many. SIGKILL, SIGSTOP, SIGSEGV and their like abort: they cannot be waited for.
class SignalSet {
 public:
  explicit SignalSet(std::initializer_list<int> signals);
  ~SignalSet();
  SignalSet(const SignalSet&) = delete;
  SignalSet& operator=(const SignalSet&) = delete;

  /// Parks until a signal comes and returns its number. Throws Cancelled or DeadlineExceeded by the context,
  /// Error(kCancelled) after stop(). Several of the same number that come before a wait() are one.
  int wait();
  /// Gives the signals back and ends wait(), now and later. From any goroutine while this lives; again does nothing.
  void stop() noexcept;

 private:
  Socket events_;
  Socket silent_;  // in a simulation, where no signals come: the other end
  std::size_t slot_ = 0;
};

/// While it lives, or until stop(), sends the numbers of the listed signals to a channel, without waiting for room there:
/// what does not fit is dropped, so the channel needs a buffer of 1 at least. Go's signal.Notify and Stop.
///
///   auto signals = degu::make_chan<int>(1);
///   degu::net::SignalNotify notify(signals, {SIGHUP});
class SignalNotify {
 public:
  SignalNotify(SendChan<int> channel, std::initializer_list<int> signals);
  ~SignalNotify() { stop(); }
  SignalNotify(const SignalNotify&) = delete;
  SignalNotify& operator=(const SignalNotify&) = delete;

  /// When it returns, the channel gets nothing more. Thread-safe; again does nothing.
  void stop() noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// A context that also ends at the first of the listed signals, its cause says "interrupt signal received", of SIGINT.
/// Go's signal.NotifyContext. Signals have their former effect again as soon as the context has ended: the
/// second Ctrl-C kills.
///
///   degu::net::NotifyContext until_ctrl_c(degu::current_context(), {SIGINT, SIGTERM});
///   degu::ContextScope scope(until_ctrl_c.context());
class NotifyContext {
 public:
  NotifyContext(const Context& parent, std::initializer_list<int> signals);
  /// stop(), and waits for its own goroutine, which that ends.
  ~NotifyContext() { stop(); }
  NotifyContext(const NotifyContext&) = delete;
  NotifyContext& operator=(const NotifyContext&) = delete;

  const Context& context() const noexcept { return context_; }
  /// Ends the context and gives the signals back. Thread-safe; again does nothing.
  void stop() noexcept;

 private:
  struct State;
  Context context_;
  std::shared_ptr<State> state_;  // null: the parent had ended before
  WaitGroup watcher_;
};

/// From now on the signals have no effect and go to nobody; those who wait for them get no more. Go's signal.Ignore.
void ignore_signals(std::initializer_list<int> signals);
/// Is the signal ignored now, by ignore_signals() or by the process that started this one?
bool signal_ignored(int signal) noexcept;
/// From now on the signals have the effect they had when the program started; those who wait for them get no more. Go's
/// signal.Reset.
void reset_signals(std::initializer_list<int> signals);

}  // namespace degu::net
