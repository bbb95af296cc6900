// TokenBucket: so many in the long run, so many at once.
#pragma once

#include <degu/resilience/internal/gcra.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

namespace degu {

/// `per_second` in the long run, `burst` at once after a pause.
struct Rate {
  double per_second = 0;  ///< from 1e-6 to 1e6; kept as an interval in whole nanoseconds
  uint64_t burst = 1;     ///< 1 or more; burst / per_second at most 30 years
};

/// What take() decided.
struct RateDecision {
  bool allowed = false;
  uint64_t remaining = 0;  ///< tokens that could be taken at once now
  /// When refused: until as many tokens are there; max() when they never will be.
  std::chrono::nanoseconds retry_after{0};
  std::chrono::nanoseconds reset_after{0};  ///< until the bucket is full
};

/// A bucket that starts full, holds `burst` tokens and gets `per_second` of them a second. Thread-safe, never waits,
/// lock-free, 32 bytes. What is refused costs nothing: who comes too often is served at the rate all the same.
///
/// The algorithm is GCRA (ITU-T I.371 annex A): instead of tokens it keeps the moment at which the bucket will be full, so
/// nothing has to be refilled. The clock is degu::now().
///
///   TokenBucket limit({.per_second = 100, .burst = 200});
///   if (!limit.take().allowed) throw Error(Code::kResourceExhausted, "too many");
class TokenBucket {
 public:
  /// Throws Error(kInvalidArgument) for a rate out of range.
  explicit TokenBucket(Rate rate) : gcra_(rate.per_second, rate.burst) {}
  TokenBucket(const TokenBucket&) = delete;
  TokenBucket& operator=(const TokenBucket&) = delete;

  /// All of `tokens` or none.
  RateDecision take(uint64_t tokens = 1) noexcept;

 private:
  resilience_internal::Gcra gcra_;
  // The moment the bucket is full. Relaxed: it guards no other memory.
  std::atomic<int64_t> full_at_{std::numeric_limits<int64_t>::min()};
};

}  // namespace degu
