// Header lines, as requests, responses and trailers share them (RFC 9112 section 5, RFC 9110 section 5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace degu::http::internal {

/// tchar of RFC 9110 section 5.6.2.
bool is_token_char(char c) noexcept;
bool is_token(std::string_view text) noexcept;
/// A field value without control characters: HTAB, SP, VCHAR, obs-text.
bool is_field_value(std::string_view text) noexcept;

/// ASCII only, as protocol elements are.
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;
char to_lower(char c) noexcept;

/// Removes SP and HTAB at both ends.
std::string_view trim(std::string_view text) noexcept;

struct FieldLine {
  std::string_view name;
  std::string_view value;
  std::string_view error;  // empty: fine
};

/// Splits a header line (without its CRLF).
FieldLine parse_field_line(std::string_view line) noexcept;

/// 1*DIGIT without sign; nothing on any other byte. A number beyond 64 bits gives UINT64_MAX.
std::optional<uint64_t> parse_digits(std::string_view text) noexcept;

/// Calls f(element) for each non-empty element of a comma-separated list.
template <class F>
void each_list_element(std::string_view list, F f) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view element = trim(list.substr(0, comma));
    if (!element.empty()) f(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace degu::http::internal
