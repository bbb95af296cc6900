#include <degu/base/error.h>
#include <degu/base/time.h>
#include <degu/resilience/internal/gcra.h>
#include <degu/resilience/token_bucket.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace degu::resilience_internal {
namespace {

constexpr double kMinPerSecond = 1e-6;
constexpr double kMaxPerSecond = 1e6;  // an interval of 1,000 ns is rounded by 0.05 % at most
constexpr auto kMaxDepth = std::chrono::hours(24 * 365 * 30);

}  // namespace

Gcra::Gcra(double per_second, uint64_t burst) : interval_ns_(0), depth_ns_(0), burst_(burst) {
  if (!(per_second >= kMinPerSecond && per_second <= kMaxPerSecond)) {
    throw Error(Code::kInvalidArgument,
                fmt::format("a rate of {} a second is not from 1e-6 to 1e6", per_second));
  }
  interval_ns_ = std::llround(1e9 / per_second);
  const auto max_burst = static_cast<uint64_t>(std::chrono::nanoseconds(kMaxDepth).count() / interval_ns_);
  if (burst == 0 || burst > max_burst) {
    throw Error(
        Code::kInvalidArgument,
        fmt::format("a burst of {} is not from 1 to {}, what comes together in 30 years", burst, max_burst));
  }
  depth_ns_ = static_cast<int64_t>(burst) * interval_ns_;
}

RateDecision Gcra::take(int64_t& full_at, int64_t now, uint64_t tokens) const noexcept {
  const int64_t from = std::max(full_at, now);
  RateDecision decision;
  int64_t missing = from - now;  // tokens that have been taken, as time
  if (tokens > burst_) {
    decision.retry_after = std::chrono::nanoseconds::max();
  } else {
    const int64_t wanted = missing + static_cast<int64_t>(tokens) * interval_ns_;
    decision.allowed = wanted <= depth_ns_;
    if (decision.allowed) {
      missing = wanted;
      full_at = now + wanted;
    } else {
      decision.retry_after = std::chrono::nanoseconds(wanted - depth_ns_);
    }
  }
  decision.remaining = static_cast<uint64_t>((depth_ns_ - missing) / interval_ns_);
  decision.reset_after = std::chrono::nanoseconds(missing);
  return decision;
}

int64_t now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now().time_since_epoch()).count();
}

}  // namespace degu::resilience_internal
