// TimePoint: the monotonic clock of every deadline in Degu.
#pragma once

#include <chrono>

namespace degu {

using TimePoint = std::chrono::steady_clock::time_point;

/// No deadline.
inline constexpr TimePoint kNever = TimePoint::max();

/// CLOCK_MONOTONIC, nanoseconds.
inline TimePoint now() noexcept { return std::chrono::steady_clock::now(); }

/// `from + delay` without overflow: a delay too large gives kNever.
constexpr TimePoint after_delay(TimePoint from, std::chrono::nanoseconds delay) noexcept {
  return delay > kNever - from ? kNever : from + delay;
}

}  // namespace degu
