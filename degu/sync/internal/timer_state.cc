#include <degu/base/error.h>
#include <degu/rt/race_point.h>
#include <degu/sync/internal/timer_state.h>

#include <mutex>

namespace degu::sync_internal {
namespace {

[[noreturn]] void throw_without_scheduler() {
  throw Error(Code::kFailedPrecondition, "timer without a scheduler: start it inside degu::run");
}

}  // namespace

bool TimerState::arm_timer(TimePoint when) noexcept {
  armed_ = true;
  if (rt::timer_start(timer_, when, &TimerState::fire, this, ++seq_)) return true;
  armed_ = false;
  unref();  // not the last count: the caller has one
  return false;
}

bool TimerState::arm(TimePoint when) noexcept {
  ref();
  return arm_timer(when);
}

// A firing that is under way finds another number, or nothing armed, and does nothing.
bool TimerState::disarm() noexcept {
  if (!armed_) return false;
  armed_ = false;
  if (rt::timer_stop(timer_)) unref();  // not the last count: the caller has one
  return true;
}

void TimerState::fire(void* arg, uint32_t seq) noexcept {
  const Ref<TimerState> self = Ref<TimerState>::adopt(static_cast<TimerState*>(arg));
  DEGU_RACE_POINT();
  const std::lock_guard guard(self->lock_);
  if (!self->armed_ || self->seq_ != seq) return;
  self->armed_ = false;
  self->on_due();
}

// run() has ended: it will not fire.
void TimerState::dropped() noexcept {
  const Ref<TimerState> self = Ref<TimerState>::adopt(this);
  const std::lock_guard guard(lock_);
  armed_ = false;
}

bool TimerState::stop() noexcept {
  const std::lock_guard guard(lock_);
  const bool pending = disarm();
  return take_back() || pending;
}

bool TimerState::reset(TimePoint when) {
  bool pending = false;
  bool armed = false;
  {
    const std::lock_guard guard(lock_);
    pending = disarm();
    pending = take_back() || pending;
    armed = arm(when);
  }
  if (!armed) throw_without_scheduler();
  return pending;
}

void TimerState::start(TimePoint when) {
  ref_unshared();
  if (!arm_timer(when)) throw_without_scheduler();
}

}  // namespace degu::sync_internal
