// Base64url without padding (RFC 4648 §5, RFC 7515 §2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace shop::user {

std::string to_base64url(std::string_view bytes);

/// Strict: nothing for padding, other characters, impossible lengths, or bits that are set beyond the last
/// byte.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace shop::user
