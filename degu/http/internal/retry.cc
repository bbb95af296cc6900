#include <degu/base/random.h>
#include <degu/base/time.h>
#include <degu/http/internal/date.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/retry.h>

#include <algorithm>
#include <cstdint>

namespace degu::http::internal {

std::chrono::nanoseconds backoff(const RetryOptions& options, int attempt) noexcept {
  int64_t most = std::max<int64_t>(options.initial_backoff.count(), 0);
  const int64_t cap = std::max<int64_t>(options.max_backoff.count(), 0);
  for (int i = 1; i < attempt && most < cap; ++i) most = most > cap / 2 ? cap : 2 * most;
  const auto bound = static_cast<uint64_t>(std::min(most, cap)) + 1;
  return std::chrono::nanoseconds(static_cast<int64_t>(random_u64() % bound));
}

std::optional<std::chrono::nanoseconds> retry_after(const ResponseHead& head) {
  if (head.status != 429 && head.status != 503) return std::nullopt;
  std::optional<std::string_view> text;
  for (const auto& [name, value] : head.headers) {
    if (!equals_ignoring_case(name, "retry-after")) continue;
    if (text) return std::nullopt;
    text = value;
  }
  if (!text) return std::nullopt;
  constexpr uint64_t kMaxSeconds = 366ULL * 24 * 3600;
  if (const auto seconds = parse_digits(*text); seconds && !text->empty())
    return std::chrono::seconds(static_cast<int64_t>(std::min(*seconds, kMaxSeconds)));
  const std::time_t present = std::chrono::system_clock::to_time_t(wall_now());
  const auto date = parse_http_date(*text, present);
  if (!date) return std::nullopt;
  const auto left = *date - present;
  return std::chrono::seconds(std::clamp<int64_t>(left, 0, kMaxSeconds));
}

}  // namespace degu::http::internal
