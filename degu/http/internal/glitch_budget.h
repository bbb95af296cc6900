// GlitchBudget: how many frames the other side of a connection may send that cost us and serve nobody.
#pragma once

#include <degu/base/time.h>

#include <algorithm>
#include <cstdint>

namespace degu::http::internal {

/// A token bucket for what floods are made of: PING, SETTINGS, PRIORITY, WINDOW_UPDATE and RST_STREAM frames, empty DATA,
/// and whatever makes us reset a stream (CVE-2019-9512, -9515, -9518, CVE-2025-8671). After nghttp2's glitches.
class GlitchBudget {
 public:
  static constexpr uint32_t kBurst = 1000;
  static constexpr uint32_t kPerSecond = 330;

  /// False: too many.
  bool spend(uint32_t cost) noexcept {
    if (cost > tokens_) refill();
    if (cost > tokens_) return false;
    tokens_ -= cost;
    return true;
  }
  /// For data that goes out: its receiver has to give room back.
  void earn() noexcept { tokens_ = std::min(tokens_ + 2, kBurst); }

 private:
  void refill() noexcept {
    const TimePoint time = now();
    const auto seconds = std::chrono::duration<double>(time - refilled_).count();
    refilled_ = time;
    tokens_ = static_cast<uint32_t>(std::min<double>(kBurst, tokens_ + seconds * kPerSecond));
  }

  uint32_t tokens_ = kBurst;
  TimePoint refilled_ = now();
};

}  // namespace degu::http::internal
