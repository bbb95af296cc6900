#include <degu/base/error.h>
#include <fmt/core.h>
#include <shop/order/crash_point.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace shop::order {
namespace {

constexpr std::array<std::string_view, 7> kPoints{"pending",  "reserved", "authorized",  "confirmed",
                                                  "captured", "notified", "compensating"};

}  // namespace

CrashPoint::CrashPoint(std::string_view spec) {
  if (spec.empty()) return;
  const size_t colon = spec.find(':');
  std::string_view point = spec.substr(0, colon);
  int count = 1;
  bool valid = true;
  if (colon != std::string_view::npos) {
    const std::string_view digits = spec.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    valid = error == std::errc() && end == digits.data() + digits.size() && count > 0;
  }
  constexpr std::string_view kBefore = "-before";
  committed_ = !point.ends_with(kBefore);
  if (!committed_) point.remove_suffix(kBefore.size());
  if (!valid || std::find(kPoints.begin(), kPoints.end(), point) == kPoints.end()) {
    throw degu::Error(
        degu::Code::kInvalidArgument,
        fmt::format("crash point \"{}\" is not <point>[-before]:<n> with one of the points {}", spec,
                    "pending reserved authorized confirmed captured notified compensating"));
  }
  point_ = point;
  left_ = count;
  armed_ = true;
}

void CrashPoint::reach(std::string_view point, bool committed) noexcept {
  if (!armed_ || committed != committed_ || point != point_) return;
  if (left_.fetch_sub(1, std::memory_order_relaxed) == 1) {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
  }
}

}  // namespace shop::order
