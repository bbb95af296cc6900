#include <degu/base/error.h>
#include <degu/http/internal/authorization.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>
#include <fmt/format.h>

namespace degu::http::internal {

std::optional<std::string_view> credentials(const Exchange& exchange, std::string_view scheme) {
  const CountedField field = counted_field(exchange, "authorization");
  if (field.count > 1) throw Error(Code::kInvalidArgument, "the request has two Authorization fields");
  const std::size_t space = field.value.find(' ');
  if (space == std::string_view::npos || !equals_ignoring_case(field.value.substr(0, space), scheme)) {
    return std::nullopt;
  }
  return trim(field.value.substr(space));
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result += '"';
}

void check_realm(std::string_view who, std::string_view realm) {
  if (!is_field_value(realm)) {
    throw Error(Code::kInvalidArgument, fmt::format("{}: the realm has control characters", who));
  }
}

}  // namespace degu::http::internal
