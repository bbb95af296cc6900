// The fields of a response while it is made: "Name: value\r\n" lines in one string.
#pragma once

#include <degu/http/internal/fields.h>

#include <string>
#include <string_view>

namespace degu::http::internal {

/// Calls f(value) for each field of that name (case-insensitive).
template <class F>
void each_field(std::string_view fields, std::string_view name, F f) {
  while (!fields.empty()) {
    const std::size_t end = fields.find("\r\n");
    const std::string_view line = fields.substr(0, end);
    const std::size_t colon = line.find(':');
    if (equals_ignoring_case(line.substr(0, colon), name)) f(trim(line.substr(colon + 1)));
    fields.remove_prefix(end + 2);
  }
}

/// The first one's value; "" if there is none.
std::string_view find_field(std::string_view fields, std::string_view name) noexcept;
bool has_field(std::string_view fields, std::string_view name) noexcept;
/// Adds one more. Name and value have been checked.
void append_field(std::string& fields, std::string_view name, std::string_view value);
/// All of that name.
void remove_field(std::string& fields, std::string_view name);

/// Adds `name` to the list of Vary (RFC 9110 section 12.5.5), if it is not there.
void add_vary(std::string& fields, std::string_view name);

}  // namespace degu::http::internal
