#include <degu/http/cookie.h>
#include <degu/http/exchange.h>
#include <degu/http/internal/date.h>
#include <degu/http/internal/fields.h>
#include <fmt/format.h>

#include <algorithm>

namespace degu::http {
namespace {

constexpr std::size_t kMaxPairBytes = 4096;       // RFC 6265bis section 5.6
constexpr std::size_t kMaxAttributeBytes = 1024;  // the same

[[noreturn]] void refuse(const Cookie& cookie, std::string_view why) {
  // The value may be a secret, and the name something that the log cannot take.
  const std::string_view name = internal::is_token(cookie.name) ? std::string_view(cookie.name) : "?";
  throw Error(Code::kInternal, fmt::format("cookie {}: {}", name, why));
}

// cookie-octet of RFC 6265 section 4.1.1.
bool is_cookie_value(std::string_view value) noexcept {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return c > 0x20 && c < 0x7F && c != '"' && c != ',' && c != ';' && c != '\\';
  });
}

bool is_path(std::string_view path) noexcept {
  return path.empty() ||
         (path.front() == '/' && path.size() <= kMaxAttributeBytes &&
          std::all_of(path.begin(), path.end(), [](char c) { return c >= 0x20 && c < 0x7F && c != ';'; }));
}

bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Labels of letters, digits and inner hyphens (RFC 1123 section 2.1).
bool is_domain(std::string_view domain) noexcept {
  if (domain.size() > 253) return false;
  while (!domain.empty()) {
    const std::size_t dot = domain.find('.');
    const std::string_view label = domain.substr(0, dot);
    if (label.empty() || label.size() > 63 || !is_letter_or_digit(label.front()) ||
        !is_letter_or_digit(label.back())) {
      return false;
    }
    if (!std::all_of(label.begin(), label.end(), [](char c) { return is_letter_or_digit(c) || c == '-'; })) {
      return false;
    }
    if (dot == std::string_view::npos) return true;
    domain.remove_prefix(dot + 1);
    if (domain.empty()) return false;
  }
  return true;
}

// Browsers compare the prefixes without regard to case (RFC 6265bis section 5.7).
bool has_prefix(std::string_view name, std::string_view prefix) noexcept {
  return internal::equals_ignoring_case(name.substr(0, prefix.size()), prefix);
}

void check(const Cookie& cookie) {
  if (!internal::is_token(cookie.name)) refuse(cookie, "the name must be a token");
  if (!is_cookie_value(cookie.value)) refuse(cookie, "the value has octets that must be encoded");
  if (cookie.name.size() + cookie.value.size() > kMaxPairBytes) refuse(cookie, "is longer than 4096 bytes");
  if (!is_path(cookie.path)) refuse(cookie, "the path must start with '/' and hold no ';'");
  if (!is_domain(cookie.domain)) refuse(cookie, "the domain must be a host name");
  if (has_prefix(cookie.name, "__Secure-") && !cookie.secure) refuse(cookie, "__Secure- needs `secure`");
  if (has_prefix(cookie.name, "__Host-") &&
      (!cookie.secure || cookie.path != "/" || !cookie.domain.empty())) {
    refuse(cookie, "__Host- needs `secure`, the path \"/\" and no domain");
  }
  if (cookie.same_site == SameSite::kNone && !cookie.secure) refuse(cookie, "SameSite=None needs `secure`");
  if (cookie.partitioned && !cookie.secure) refuse(cookie, "Partitioned needs `secure`");
}

void append_date(std::string& out, const Cookie& cookie) {
  // system_clock's nanoseconds reach from 1677 to 2262, which is within what a cookie's date may be.
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*cookie.expires).time_since_epoch().count();
  char date[29];
  internal::format_http_date(static_cast<std::time_t>(seconds), date);
  out.append("; Expires=").append(date, sizeof date);
}

std::string_view name_of(SameSite same_site) noexcept {
  switch (same_site) {
    case SameSite::kStrict:
      return "Strict";
    case SameSite::kNone:
      return "None";
    case SameSite::kLax:
      break;
  }
  return "Lax";
}

}  // namespace

std::string to_string(const Cookie& cookie) {
  check(cookie);
  std::string out = cookie.name + "=" + cookie.value;
  if (!cookie.path.empty()) out.append("; Path=").append(cookie.path);
  if (!cookie.domain.empty()) out.append("; Domain=").append(cookie.domain);
  if (cookie.max_age) out.append("; Max-Age=").append(std::to_string(cookie.max_age->count()));
  if (cookie.expires) append_date(out, cookie);
  if (cookie.secure) out.append("; Secure");
  if (cookie.http_only) out.append("; HttpOnly");
  out.append("; SameSite=").append(name_of(cookie.same_site));
  if (cookie.partitioned) out.append("; Partitioned");
  return out;
}

void set_cookie(Exchange& c, const Cookie& cookie) { c.add_header("Set-Cookie", to_string(cookie)); }

void delete_cookie(Exchange& c, std::string_view name, std::string_view path, std::string_view domain) {
  Cookie cookie;
  cookie.name = name;
  cookie.path = path;
  cookie.domain = domain;
  cookie.max_age = std::chrono::seconds(0);
  set_cookie(c, cookie);
}

namespace internal {

std::optional<std::string_view> find_cookie(std::string_view header, std::string_view name) noexcept {
  while (!header.empty()) {
    const std::size_t semicolon = header.find(';');
    const std::string_view pair = trim(header.substr(0, semicolon));
    header.remove_prefix(semicolon == std::string_view::npos ? header.size() : semicolon + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name || !is_token(name)) continue;
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value.remove_prefix(1);
      value.remove_suffix(1);
    }
    if (is_cookie_value(value)) return value;
  }
  return std::nullopt;
}

}  // namespace internal
}  // namespace degu::http
