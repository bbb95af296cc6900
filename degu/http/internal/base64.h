// Base64 and base64url (RFC 4648), strictly: one text for each byte string, so that no two tokens are the same one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// Without padding, as RFC 7515 wants it.
std::string to_base64url(std::string_view bytes);
/// With padding (RFC 4648 section 4).
std::string to_base64(std::string_view bytes);
/// nullopt for padding, foreign characters, impossible lengths and unused bits that are not zero.
std::optional<std::string> from_base64url(std::string_view text);
/// The same for the alphabet with '+' and '/' (RFC 4648 section 4), padded with '='.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace degu::http::internal
