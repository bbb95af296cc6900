// FixedTime: both clocks stand still, and move when the test says so.
#pragma once

#include <degu/base/time.h>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace degu::testing {

/// While one lives, degu::now() and degu::wall_now() give its times, to all threads. One at a time; not together with
/// degu/sim, nor while anything waits for a deadline: timers do not know of it.
class FixedTime {
 public:
  explicit FixedTime(
      std::chrono::system_clock::time_point wall = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1)) {
    set_wall(wall);
    steady_ = std::chrono::nanoseconds(std::chrono::hours(1)).count();
    base_internal::clock_hook.store(
        []() noexcept { return TimePoint(std::chrono::nanoseconds(steady_.load())); });
    base_internal::wall_hook.store([]() noexcept {
      return std::chrono::system_clock::time_point(std::chrono::nanoseconds(wall_.load()));
    });
  }
  ~FixedTime() {
    base_internal::clock_hook.store(nullptr);
    base_internal::wall_hook.store(nullptr);
  }
  FixedTime(const FixedTime&) = delete;
  FixedTime& operator=(const FixedTime&) = delete;

  void set_wall(std::chrono::system_clock::time_point wall) { wall_ = wall.time_since_epoch().count(); }
  void advance(std::chrono::nanoseconds by) {
    steady_ += by.count();
    wall_ += by.count();
  }

 private:
  static inline std::atomic<int64_t> steady_{0};
  static inline std::atomic<int64_t> wall_{0};
};

}  // namespace degu::testing
