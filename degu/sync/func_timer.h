// FuncTimer and after_func: run a function later. Go's time.AfterFunc.
//
//   degu::FuncTimer expiry = degu::after_func(30s, [session] { session->expire(); });
//   ...
//   expiry.reset(30s);                          // seen again: wait anew
#pragma once

#include <degu/base/ref.h>
#include <degu/sync/internal/timer_state.h>

#include <chrono>
#include <concepts>
#include <type_traits>
#include <utility>

namespace degu {

namespace sync_internal {

class FuncTimerState : public TimerState {
 private:
  void on_due() noexcept final;
  virtual void call() = 0;
};

template <class F>
class FuncTimerOf final : public FuncTimerState {
 public:
  template <class G>
  explicit FuncTimerOf(G&& fn) : fn_(std::forward<G>(fn)) {}

 private:
  void call() override { fn_(); }

  F fn_;
};

}  // namespace sync_internal

/// Returned by after_func(). A handle: copies share the timer, dropping them changes nothing. Empty by
/// default. Thread-safe; nothing waits.
class FuncTimer {
 public:
  FuncTimer() noexcept = default;

  /// True: it was pending, and its function will not run. False: the function has been started, where it may
  /// still be running, or the timer was stopped before.
  bool stop() const noexcept { return state_ && state_->stop(); }

  /// As stop(), then starts the function `delay` from now. A run that has been started already is not waited
  /// for: the two may then run at once. Throws Error(kFailedPrecondition) on an empty handle.
  bool reset(std::chrono::nanoseconds delay) const;

 private:
  template <std::invocable F>
  friend FuncTimer after_func(std::chrono::nanoseconds delay, F&& fn);
  FuncTimer(Ref<sync_internal::FuncTimerState> state, std::chrono::nanoseconds delay);

  Ref<sync_internal::FuncTimerState> state_;
};

/// Runs `fn` in a goroutine of its own, `delay` from now; at once if that is not positive. No goroutine exists
/// before. `fn` runs in the background context: what ends its starter does not end it. An exception ends the
/// process, as with degu::go. Costs one allocation. `fn` may be only movable, and is destroyed with the last handle,
/// after its run. Throws Error(kFailedPrecondition) where no scheduler runs.
template <std::invocable F>
FuncTimer after_func(std::chrono::nanoseconds delay, F&& fn) {
  return FuncTimer(make_ref<sync_internal::FuncTimerOf<std::decay_t<F>>>(std::forward<F>(fn)), delay);
}

}  // namespace degu
