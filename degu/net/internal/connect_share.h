// connect_share: how long one of several addresses may be tried.
#pragma once

#include <degu/base/time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace degu::net::internal {

/// When to give up the first of `addresses_left` (at least 1). Go's partialDeadline: an equal share for each, but not
/// less than 2 s while there is as much.
inline TimePoint connect_share(TimePoint time, TimePoint deadline, std::size_t addresses_left) noexcept {
  if (deadline == kNever) return kNever;
  if (time >= deadline) return deadline;
  const std::chrono::nanoseconds left = deadline - time;
  const std::chrono::nanoseconds share = left / static_cast<int64_t>(addresses_left);
  return time + std::max(share, std::min<std::chrono::nanoseconds>(left, std::chrono::seconds(2)));
}

}  // namespace degu::net::internal
