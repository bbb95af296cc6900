// Reason phrases of HTTP statuses (RFC 9110 section 15, RFC 6585).
#pragma once

#include <string_view>

namespace degu::http::internal {

/// "Not Found"; "Unknown" for statuses without a name.
std::string_view reason_phrase(int status) noexcept;

/// "HTTP/1.1 404 Not Found\r\n"; empty for statuses without a ready line.
std::string_view status_line(int status) noexcept;

}  // namespace degu::http::internal
