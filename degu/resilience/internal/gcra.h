// Gcra: the arithmetic of token buckets, apart from where their state is kept.
#pragma once

#include <cstdint>

namespace degu {
struct RateDecision;
}

namespace degu::resilience_internal {

/// The state of a bucket is one number, the moment at which it will be full, in nanoseconds of degu::now(). A moment that
/// has passed means full, and all of those mean the same.
class Gcra {
 public:
  /// Throws Error(kInvalidArgument) for a rate out of range.
  Gcra(double per_second, uint64_t burst);

  /// Takes `tokens` at `now`: moves `full_at` on if they are there.
  RateDecision take(int64_t& full_at, int64_t now, uint64_t tokens) const noexcept;

 private:
  int64_t interval_ns_;  // between two tokens
  int64_t depth_ns_;     // from empty to full
  uint64_t burst_;
};

/// degu::now() as such a moment.
int64_t now_ns() noexcept;

}  // namespace degu::resilience_internal
