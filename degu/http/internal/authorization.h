// The Authorization field and its challenges (RFC 9110 section 11).
#pragma once

#include <degu/http/exchange.h>

#include <optional>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// What follows the scheme, if the request has credentials of that scheme (case-insensitive). Throws
/// Error(kInvalidArgument) when there are two Authorization fields.
std::optional<std::string_view> credentials(const Exchange& exchange, std::string_view scheme);

/// A quoted-string (RFC 9110 section 5.6.4) of a text without control characters.
std::string quoted(std::string_view text);

/// Throws Error(kInvalidArgument) for a realm with control characters; `who` names the middleware.
void check_realm(std::string_view who, std::string_view realm);

}  // namespace degu::http::internal
