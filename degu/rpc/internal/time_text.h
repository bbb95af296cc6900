// Times and durations as ProtoJSON writes them.
#pragma once

#include <degu/rpc/message.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace degu::rpc::codec::internal {

/// A short text in place: pages of messages are full of times, and each would cost an allocation.
class TimeText {
 public:
  operator std::string_view() const noexcept { return {text_, size_}; }
  std::string str() const { return {text_, size_}; }
  void append(char c) noexcept { text_[size_++] = c; }
  /// Decimal digits, zeros in front up to `width`.
  void append(uint64_t value, size_t width) noexcept;

 private:
  char text_[40];  // the longest is a time with nanoseconds, 30 characters
  size_t size_ = 0;
};

/// RFC 3339 in UTC with 0, 3, 6 or 9 fractional digits: "2026-03-01T12:00:00.250Z".
TimeText format_timestamp(Timestamp time);
/// RFC 3339 with any offset and up to 9 fractional digits. Nothing for malformed text, days that do not
/// exist, and times outside of 1677..2262.
std::optional<Timestamp> parse_timestamp(std::string_view text);

/// Seconds with 0, 3, 6 or 9 fractional digits: "1.500s".
TimeText format_duration(Duration duration);
std::optional<Duration> parse_duration(std::string_view text);

}  // namespace degu::rpc::codec::internal
