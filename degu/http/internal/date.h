// DateCache: the Date field of responses, formatted once a second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// One a connection: no sharing, so no synchronisation.
class DateCache {
 public:
  /// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" of now; valid until the next call.
  std::string_view line() noexcept;

 private:
  static constexpr std::size_t kSize = 37;
  std::time_t second_ = -1;
  char line_[kSize] = {};
};

/// "Sun, 06 Nov 1994 08:49:37 GMT", 29 characters, into `out` (RFC 9110 section 5.6.7).
void format_http_date(std::time_t time, char* out) noexcept;

/// The three formats of RFC 9110 section 5.6.7, exactly: "Sun, 06 Nov 1994 08:49:37 GMT",
/// "Sunday, 06-Nov-94 08:49:37 GMT" (a year more than 50 years ahead of `now` means the one a century before) and
/// "Sun Nov  6 08:49:37 1994". The day of the week must be one, and need not be the right one. Nothing for all else.
std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now) noexcept;

}  // namespace degu::http::internal
