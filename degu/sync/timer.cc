#include <degu/sync/timer.h>

#include <utility>

namespace degu {

Timer::Timer(std::chrono::nanoseconds delay) : state_(make_ref<sync_internal::ChanTimer>()) { reset(delay); }

Timer& Timer::operator=(Timer&& other) noexcept {
  if (state_ && state_ != other.state_) state_->stop();
  state_ = std::move(other.state_);
  return *this;
}

Timer::~Timer() {
  if (state_) state_->stop();
}

RecvChan<TimePoint> sync_internal::chan_at(TimePoint when) {
  const Ref<ChanTimer> state = make_ref<ChanTimer>();
  state->reset(when);
  return state->chan();
}

}  // namespace degu
