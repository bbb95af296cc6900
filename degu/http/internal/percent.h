// Percent-decoding of paths and queries, once and with nothing left to be misread.
#pragma once

#include <string>
#include <string_view>

namespace degu::http::internal {

/// Stands for an encoded slash in a decoded path until the route is known: a control character, which no
/// decoded path can hold otherwise.
inline constexpr char kEncodedSlash = '\x01';

/// Appends the decoded path, encoded slashes as kEncodedSlash. Escapes must be well-formed (the parser saw to
/// it). False: it holds an encoded control character or NUL, is not UTF-8, or has a "." or ".." segment.
bool decode_path(std::string_view path, std::string& out);

/// Appends a decoded query component ('+' is a space). False: malformed escape, NUL, or not UTF-8.
bool decode_query(std::string_view text, std::string& out);

/// Appends `text` with everything but unreserved characters (RFC 3986) escaped.
void append_percent_encoded(std::string& out, std::string_view text);

}  // namespace degu::http::internal
