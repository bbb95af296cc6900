// Media types and parameters, as Content-Type, Accept and Content-Disposition have them (RFC 9110 sections 5.6.6 and
// 8.3.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http::internal {

struct Parameter {
  std::string_view name;
  std::string value;  // unquoted
};

/// Reads `; name=value; name="quoted"`. White space may surround the semicolons, not the equals signs. In a quoted
/// string only \" and \\ are escapes: senders do not agree on any other backslash, so those are refused. Nothing when
/// the text is malformed, a name repeats, or there are more than 16 of them.
std::optional<std::vector<Parameter>> parse_parameters(std::string_view text);

/// The parameter of that name (case-insensitive), or null.
const std::string* find_parameter(const std::vector<Parameter>& parameters, std::string_view name) noexcept;

/// `type/subtype`; the text behind it are its parameters.
struct MediaType {
  std::string_view essence;
  std::string_view parameters;
};

/// Splits off the essence; nothing unless it is two tokens around a slash.
std::optional<MediaType> parse_media_type(std::string_view text) noexcept;

/// application/json, or any type with the suffix +json (RFC 6839).
bool is_json_type(std::string_view content_type) noexcept;

}  // namespace degu::http::internal
