// Timer: sends the time to a channel, once. Go's time.Timer, with the rules of Go 1.23.
//
//   degu::Timer idle(30s);
//   for (;;) {
//     degu::select(recv(jobs, [&](Job job) { job.run(); idle.reset(30s); }),
//                  recv(idle.chan(), [&] { disconnect(); }));
//   }
//
// A single select with a time limit needs none of this: degu::after(30s, f) is a case of it, and free. As a
// channel, `RecvChan<TimePoint> late = degu::after(30s)` is Go's time.After; it lives until it has fired.
#pragma once

#include <degu/base/ref.h>
#include <degu/base/time.h>
#include <degu/rt/sim_point.h>
#include <degu/sync/chan.h>
#include <degu/sync/internal/chan_timer.h>
#include <degu/sync/select.h>

#include <chrono>

namespace degu {

/// Sends the time at which it fires, nanoseconds exact and never early, to a channel of its own. Only moves;
/// its end stops it, while the channel may live on. Costs two allocations. All functions may be called from
/// everywhere at once; none waits. Made inside degu::run, or by a foreign thread while that runs: else
/// Error(kFailedPrecondition). When run() returns, pending timers never fire.
///
/// Unlike Go's, the channel's cap() is 1, and its len() may be; the rules below hold all the same.
class Timer {
 public:
  /// Fires `delay` from now; at once if that is not positive.
  explicit Timer(std::chrono::nanoseconds delay);
  Timer(Timer&&) noexcept = default;
  Timer& operator=(Timer&& other) noexcept;
  ~Timer();

  /// Where the time arrives. Never closed. A copy may outlive the timer.
  const RecvChan<TimePoint>& chan() const noexcept { return state_->chan(); }

  /// True: it was pending; nothing will be received until the next reset(). False: the time was received
  /// already, or it was stopped. So either somebody receives the time or one call returns true.
  bool stop() noexcept {
    rt::sim_point();
    return state_->stop();
  }

  /// As stop(), then fires `delay` from now. A time from before is never received after it has returned.
  bool reset(std::chrono::nanoseconds delay) {
    return state_->reset(after_delay(rt::sim_point_now(), delay));
  }

 private:
  Ref<sync_internal::ChanTimer> state_;
};

}  // namespace degu
