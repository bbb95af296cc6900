// ChanTimer: what Timer, Ticker, tick() and after() have in common: a timer that sends the time to a channel.
#pragma once

#include <degu/sync/chan.h>
#include <degu/sync/internal/timer_state.h>

#include <chrono>
#include <cstdint>

namespace degu::sync_internal {

/// Sends the time to a channel: once, or every period. The channel buffers one time, which stop() and reset()
/// take back, so that nobody receives a time from before them.
class ChanTimer final : public TimerState {
 public:
  ChanTimer() : chan_(make_chan<TimePoint>(1)), receive_end_(chan_) {}

  const RecvChan<TimePoint>& chan() const noexcept { return receive_end_; }
  /// First in one `period`.
  void start_every(std::chrono::nanoseconds period);

 private:
  void on_due() noexcept override;
  bool take_back() noexcept override;
  bool orphaned() const noexcept;

  static constexpr uint32_t kOwnHandles = 2;
  const Chan<TimePoint> chan_;
  const RecvChan<TimePoint> receive_end_;
  std::chrono::nanoseconds period_{0};  // guarded by lock_; 0: once
  TimePoint due_{};                     // with a period: the next time; guarded by lock_
};

}  // namespace degu::sync_internal
