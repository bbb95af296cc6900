// After Go 1.23's time.Timer: the channel behaves as if it were unbuffered, though the sender cannot wait.
// Rejected: re-arming by a period of rt::Timer's own, as its callback may still be running when timer_stop() has
// returned true, and then nobody knows when the state may go.
#include <degu/rt/sim_point.h>
#include <degu/sync/internal/chan_timer.h>
#include <degu/sync/internal/wait_queue.h>

namespace degu::sync_internal {

void ChanTimer::start_every(std::chrono::nanoseconds period) {
  const TimePoint due = after_delay(rt::sim_point_now(), period);
  {
    const LockGuard guard(lock_);
    period_ = period;
    due_ = due;
  }
  reset(due);
}

// Nobody can receive the next time, nor stop it.
bool ChanTimer::orphaned() const noexcept {
  return ref_count() == 1 && chan_.core()->handles.load(std::memory_order_acquire) == kOwnHandles;
}

// Not try_recv(), where a simulation may let others run: lock_ is held.
bool ChanTimer::take_back() noexcept {
  ChanCore& core = *chan_.core();
  if (!core.recv_hint()) return false;
  Slot<TimePoint> slot;
  Peer peer;
  core.lock.lock();
  const Outcome outcome = chan_recv_locked(core, slot.address(), peer);
  core.lock.unlock();
  peer.finish(core.ops);
  if (outcome != Outcome::kDone) return false;
  static_cast<void>(slot.take());
  return true;
}

void ChanTimer::on_due() noexcept {
  const TimePoint time = now();
  static_cast<void>(chan_.try_send(time));  // full: the receiver is late, and this time is dropped
  if (period_.count() == 0 || orphaned()) return;
  const std::chrono::nanoseconds missed = (time - due_) / period_ * period_;
  due_ = after_delay(after_delay(due_, missed), period_);
  arm(due_);
}

}  // namespace degu::sync_internal
