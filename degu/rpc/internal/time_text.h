// Times and durations as ProtoJSON writes them.
#pragma once

#include <degu/rpc/message.h>

#include <optional>
#include <string>
#include <string_view>

namespace degu::rpc::codec::internal {

/// RFC 3339 in UTC with 0, 3, 6 or 9 fractional digits: "2026-03-01T12:00:00.250Z".
std::string format_timestamp(Timestamp time);
/// RFC 3339 with any offset and up to 9 fractional digits. Nothing for malformed text, days that do not exist, and times
/// outside of 1677..2262.
std::optional<Timestamp> parse_timestamp(std::string_view text);

/// Seconds with 0, 3, 6 or 9 fractional digits: "1.500s".
std::string format_duration(Duration duration);
std::optional<Duration> parse_duration(std::string_view text);

}  // namespace degu::rpc::codec::internal
