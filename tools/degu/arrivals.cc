#include "arrivals.h"

#include <chrono>
#include <cmath>
#include <mutex>

namespace degu::bench {
namespace {

std::chrono::nanoseconds nanos(double seconds) noexcept {
  return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
}

}  // namespace

std::optional<TimePoint> Arrivals::next() noexcept {
  if (open_loop()) {
    const std::lock_guard guard(lock_);
    return take_planned();
  }
  const TimePoint moment = now();
  if (moment >= options_.end) return std::nullopt;
  if (options_.limit != 0 && taken_.fetch_add(1, std::memory_order_relaxed) >= options_.limit)
    return std::nullopt;
  return moment;
}

// Equal gaps are counted from the beginning, so that rounding does not add up.
std::optional<TimePoint> Arrivals::take_planned() noexcept {
  if (next_ >= options_.end || (options_.limit != 0 && planned_ >= options_.limit)) return std::nullopt;
  const TimePoint start = next_;
  ++planned_;
  if (options_.poisson) {
    const double uniform = (static_cast<double>(random_.next() >> 11) + 1) * 0x1p-53;  // in (0, 1]
    next_ += nanos(-std::log(uniform) / options_.rate);
  } else {
    next_ = begin_ + nanos(static_cast<double>(planned_) / options_.rate);
  }
  return start;
}

uint64_t Arrivals::overdue(TimePoint until) noexcept {
  if (!open_loop()) return 0;
  const std::lock_guard guard(lock_);
  uint64_t count = 0;
  while (next_ < until && take_planned()) ++count;
  return count;
}

}  // namespace degu::bench
