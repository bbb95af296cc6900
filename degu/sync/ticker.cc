#include <degu/base/error.h>
#include <degu/sync/ticker.h>

#include <string>
#include <utility>

namespace degu {

Ticker::Ticker(std::chrono::nanoseconds period) : state_(make_ref<sync_internal::ChanTimer>()) {
  reset(period);
}

Ticker& Ticker::operator=(Ticker&& other) noexcept {
  if (state_ && state_ != other.state_) state_->stop();
  state_ = std::move(other.state_);
  return *this;
}

Ticker::~Ticker() {
  if (state_) state_->stop();
}

void Ticker::reset(std::chrono::nanoseconds period) {
  if (period.count() <= 0) {
    throw Error(Code::kInvalidArgument,
                "Ticker: the period must be positive, not " + std::to_string(period.count()) + " ns");
  }
  state_->start_every(period);
}

RecvChan<TimePoint> tick(std::chrono::nanoseconds period) {
  if (period.count() <= 0) return {};
  const Ref<sync_internal::ChanTimer> state = make_ref<sync_internal::ChanTimer>();
  state->start_every(period);
  return state->chan();
}

}  // namespace degu
