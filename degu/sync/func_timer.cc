#include <degu/base/error.h>
#include <degu/rt/run.h>
#include <degu/rt/sim_point.h>
#include <degu/sync/func_timer.h>

#include <utility>

namespace degu {

void sync_internal::FuncTimerState::on_due() noexcept {
  rt::spawn_from_callback([self = Ref<FuncTimerState>(this)] { self->call(); }, {.name = "after_func"});
}

bool FuncTimer::reset(std::chrono::nanoseconds delay) const {
  if (!state_)
    throw Error(Code::kFailedPrecondition, "FuncTimer::reset on an empty handle: use after_func()");
  return state_->reset(after_delay(rt::sim_point_now(), delay));
}

FuncTimer::FuncTimer(Ref<sync_internal::FuncTimerState> state, std::chrono::nanoseconds delay)
    : state_(std::move(state)) {
  state_->start(after_delay(rt::sim_point_now(), delay));
}

}  // namespace degu
