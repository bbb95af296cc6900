// Conditional requests: RFC 9110 section 13.
#pragma once

#include <degu/http/request_parser.h>

#include <cstdint>
#include <ctime>
#include <optional>
#include <string_view>

namespace degu::http::internal {

/// What tells versions of a representation apart.
struct Validators {
  std::string_view etag;  ///< "\"x\"" or "W/\"x\""; "" when there is none
  std::optional<std::time_t> last_modified;
};

enum class Verdict : uint8_t {
  kPerform,
  kNotModified,  ///< 304
  kFailed,       ///< 412
};

/// If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of section 13.2.2. A malformed tag
/// matches nothing, a malformed date is as if it were absent.
Verdict check_conditions(const RequestHead& head, const Validators& now);

/// There is no If-Range, or its validator is that of the representation, and a strong one (section 13.1.5).
bool range_applies(const RequestHead& head, const Validators& now);

/// An entity tag (section 8.8.3) and nothing else.
bool is_entity_tag(std::string_view text) noexcept;

}  // namespace degu::http::internal
