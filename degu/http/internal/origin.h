// Origins as the Origin field carries them (RFC 6454 section 6.2): scheme "://" host [":" port].
#pragma once

#include <string_view>

namespace degu::http::internal {

/// Throws Error(kInvalidArgument) unless `origin` is one that a browser could send: lower case, no path, no default
/// port. "null" is none: every sandboxed page has it.
void check_origin(std::string_view origin);

/// "shop.example:8443" for "https://shop.example:8443"; "" when the text is no origin.
std::string_view origin_authority(std::string_view origin) noexcept;

}  // namespace degu::http::internal
