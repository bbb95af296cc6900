// wall_ms: the time that rows are stamped with.
#pragma once

#include <degu/base/time.h>

#include <chrono>
#include <cstdint>

namespace degu::store {

/// Milliseconds since 1970 by the system's clock, which may jump: for stamps and time-to-live that must
/// survive a restart, not for measuring.
inline int64_t wall_ms() noexcept {
  const auto now = degu::wall_now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace degu::store
