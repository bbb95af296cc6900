#include <degu/base/error.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/origin.h>
#include <fmt/format.h>

#include <algorithm>

namespace degu::http::internal {
namespace {

constexpr std::string_view kAfterScheme = "://";

bool is_lower_alpha(char c) noexcept { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_scheme(std::string_view text) noexcept {
  return !text.empty() && is_lower_alpha(text.front()) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  });
}

bool is_host(std::string_view text) noexcept {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.'; });
  }
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

bool is_port(std::string_view scheme, std::string_view text) noexcept {
  const auto number = parse_digits(text);
  if (!number || *number == 0 || *number > 65535 || text.front() == '0') return false;
  return !(scheme == "http" && *number == 80) && !(scheme == "https" && *number == 443);
}

}  // namespace

void check_origin(std::string_view origin) {
  const std::string_view authority = origin_authority(origin);
  const std::string_view scheme = origin.substr(0, origin.find(':'));
  std::string_view host = authority;
  bool fine = is_scheme(scheme);
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.back() != ']') {
    host = authority.substr(0, colon);
    fine = fine && is_port(scheme, authority.substr(colon + 1));
  }
  if (fine && is_host(host)) return;
  throw Error(Code::kInvalidArgument,
              fmt::format("\"{}\" is not an origin; write https://shop.example or http://localhost:8080, "
                          "in lower case, without a path and without the scheme's own port",
                          origin));
}

std::string_view origin_authority(std::string_view origin) noexcept {
  const std::size_t at = origin.find(kAfterScheme);
  if (at == 0 || at == std::string_view::npos) return {};
  const std::string_view authority = origin.substr(at + kAfterScheme.size());
  return authority.find_first_of("/?#@, \t") == std::string_view::npos ? authority : std::string_view();
}

}  // namespace degu::http::internal
