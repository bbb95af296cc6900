// TimePoint: the monotonic clock of every deadline in Degu; and the wall clock.
#pragma once

#include <atomic>
#include <chrono>

namespace degu {

using TimePoint = std::chrono::steady_clock::time_point;

/// No deadline.
inline constexpr TimePoint kNever = TimePoint::max();

namespace base_internal {
/// Set while a simulation or a bubble of virtual time exists: it knows who asks, and what time it is there.
using Clock = TimePoint (*)() noexcept;
inline constinit std::atomic<Clock> clock_hook{nullptr};
using WallClock = std::chrono::system_clock::time_point (*)() noexcept;
inline constinit std::atomic<WallClock> wall_hook{nullptr};
}  // namespace base_internal

/// CLOCK_MONOTONIC, nanoseconds, of the machine. For code that deals with the kernel's idea of time.
inline TimePoint real_now() noexcept { return std::chrono::steady_clock::now(); }

/// The time that the caller lives in: CLOCK_MONOTONIC, nanoseconds, but in degu/sim, where it is virtual.
inline TimePoint now() noexcept {
  const base_internal::Clock hook = base_internal::clock_hook.load(std::memory_order_relaxed);
  return hook == nullptr ? real_now() : hook();
}

/// The date where the caller lives: the system's clock, which may jump, but in degu/sim, where it goes with now(). For
/// stamps; what measures or waits uses now().
inline std::chrono::system_clock::time_point wall_now() noexcept {
  const base_internal::WallClock hook = base_internal::wall_hook.load(std::memory_order_relaxed);
  return hook == nullptr ? std::chrono::system_clock::now() : hook();
}

/// `from + delay` without overflow: a delay too large gives kNever.
constexpr TimePoint after_delay(TimePoint from, std::chrono::nanoseconds delay) noexcept {
  return delay > kNever - from ? kNever : from + delay;
}

}  // namespace degu
