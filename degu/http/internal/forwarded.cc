#include <degu/http/internal/fields.h>
#include <degu/http/internal/forwarded.h>

#include <algorithm>
#include <utility>

namespace degu::http::internal {
namespace {

// A quote is part of the text when an odd number of backslashes stands before it.
bool is_escaped(std::string_view text, std::size_t at) noexcept {
  std::size_t backslashes = 0;
  while (backslashes < at && text[at - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

// Takes a token or quoted-string off the front; nullopt: neither.
std::optional<std::string> take_value(std::string_view& text) {
  std::string value;
  if (!text.starts_with('"')) {
    while (value.size() < text.size() && is_token_char(text[value.size()])) value += text[value.size()];
    text.remove_prefix(value.size());
    return value.empty() ? std::nullopt : std::optional(value);
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    if (text[i] == '\\' && ++i == text.size()) break;
    value += text[i];
  }
  return std::nullopt;
}

bool set_once(std::string& target, bool& set, std::string value) {
  target = std::move(value);
  return !std::exchange(set, true);
}

}  // namespace

std::optional<std::string_view> take_last_element(std::string_view& list, bool quotes) noexcept {
  if (list.empty()) return std::nullopt;
  bool quoted = false;
  std::size_t at = list.size();
  while (at > 0) {
    const char c = list[at - 1];
    if (quotes && c == '"' && !is_escaped(list, at - 1)) quoted = !quoted;
    if (c == ',' && !quoted) break;
    --at;
  }
  const std::string_view element = trim(list.substr(at));
  list = list.substr(0, at == 0 ? 0 : at - 1);
  return element;
}

std::optional<ForwardedElement> parse_forwarded_element(std::string_view element) {
  ForwardedElement result;
  bool has_node = false;
  bool has_proto = false;
  while (!element.empty()) {
    const std::size_t equals = element.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = element.substr(0, equals);
    element.remove_prefix(equals + 1);
    std::optional<std::string> value = take_value(element);
    if (!is_token(name) || !value) return std::nullopt;
    if (equals_ignoring_case(name, "for")) {
      if (!set_once(result.node, has_node, *std::move(value))) return std::nullopt;
    } else if (equals_ignoring_case(name, "proto")) {
      if (!set_once(result.proto, has_proto, *std::move(value))) return std::nullopt;
      std::transform(result.proto.begin(), result.proto.end(), result.proto.begin(), to_lower);
    }
    element = trim(element);
    if (element.empty()) break;
    if (element.front() != ';') return std::nullopt;
    element = trim(element.substr(1));
  }
  return has_node ? std::optional(std::move(result)) : std::nullopt;
}

}  // namespace degu::http::internal
