// Ticker: sends the time to a channel again and again. Go's time.Ticker, with the rules of Go 1.23.
//
//   degu::Ticker ticker(1s);
//   for (degu::TimePoint at : ticker.chan()) report(at);   // until the current context ends
#pragma once

#include <degu/base/ref.h>
#include <degu/base/time.h>
#include <degu/rt/sim_point.h>
#include <degu/sync/chan.h>
#include <degu/sync/internal/chan_timer.h>

#include <chrono>

namespace degu {

/// Sends the time every period, counted from its start: a late tick does not move the next ones. One tick is
/// kept for a receiver that is late; those in between are dropped. Only moves; its end stops it. Costs as
/// Timer, and may be used and made where Timer may.
class Ticker {
 public:
  /// First fires in one `period`. Throws Error(kInvalidArgument) if that is not positive.
  explicit Ticker(std::chrono::nanoseconds period);
  Ticker(Ticker&&) noexcept = default;
  Ticker& operator=(Ticker&& other) noexcept;
  ~Ticker();

  /// Where the ticks arrive. Never closed: a loop over it ends with the current context. A copy may outlive
  /// the ticker.
  const RecvChan<TimePoint>& chan() const noexcept { return state_->chan(); }

  /// No tick is received from now until the next reset().
  void stop() noexcept {
    rt::sim_point();
    state_->stop();
  }

  /// As stop(), then ticks every `period`, first in one from now. Throws Error(kInvalidArgument) if that is
  /// not positive, and goes on as before.
  void reset(std::chrono::nanoseconds period);

 private:
  Ref<sync_internal::ChanTimer> state_;
};

/// A channel that ticks until its last handle is gone (found out at the next tick). Nil, as Go's, if `period`
/// is not positive.
RecvChan<TimePoint> tick(std::chrono::nanoseconds period);

}  // namespace degu
