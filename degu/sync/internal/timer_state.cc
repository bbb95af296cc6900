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
  static constexpr rt::TimerCalls kCalls{&TimerState::fire, &TimerState::drop};
  if (rt::timer_start(timer_, when, kCalls, this, (timer_.seq + 2) | kArmed)) return true;
  unref();  // not the last count: the caller has one
  return false;
}

bool TimerState::arm(TimePoint when) noexcept {
  ref();
  return arm_timer(when);
}

// A firing that is under way finds another number, and does nothing.
bool TimerState::disarm() noexcept {
  if ((timer_.seq & kArmed) == 0) return false;
  if (rt::timer_stop(timer_)) unref();  // not the last count: the caller has one
  timer_.seq &= ~kArmed;                // not before: it is the runtime's to read while armed
  return true;
}

void TimerState::fire(void* arg, uint32_t seq) noexcept {
  const Ref<TimerState> self = Ref<TimerState>::adopt(static_cast<TimerState*>(arg));
  DEGU_RACE_POINT();
  const std::lock_guard guard(self->lock_);
  if (self->timer_.seq != seq) return;
  self->timer_.seq &= ~kArmed;
  self->on_due();
}

// run() has ended: it will not fire.
void TimerState::drop(void* arg) noexcept {
  const Ref<TimerState> self = Ref<TimerState>::adopt(static_cast<TimerState*>(arg));
  const std::lock_guard guard(self->lock_);
  self->timer_.seq &= ~kArmed;
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
