#include "target.h"

#include <degu/base/error.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace degu::bench {
namespace {

[[noreturn]] void refuse(std::string_view url, std::string_view why) {
  throw Error(Code::kInvalidArgument, fmt::format("the URL \"{}\" {}", url, why));
}

bool is_port(std::string_view text) noexcept {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port != 0;
}

}  // namespace

Target parse_target(std::string_view url) {
  Target target;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    target.tls = true;
  } else if (!rest.starts_with("http://")) {
    refuse(url, "has to start with http:// or https://");
  }
  if (std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c == 127; })) {
    refuse(url, "holds spaces, control characters or bytes beyond ASCII; write them as %XX");
  }
  rest.remove_prefix(target.tls ? 8 : 7);
  rest = rest.substr(0, rest.find('#'));
  const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  target.authority = rest.substr(0, path);
  target.path = rest.substr(path);
  if (target.path.empty() || target.path[0] == '?') target.path.insert(0, "/");

  std::string_view host = target.authority;
  if (host.find('@') != std::string_view::npos)
    refuse(url, "may hold no user name; use --header 'Authorization: ...'");
  std::string_view port = target.tls ? "443" : "80";
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    port = host.substr(colon + 1);
    host = host.substr(0, colon);
  }
  if (!is_port(port)) refuse(url, "has a bad port");
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  target.host = bracketed ? host.substr(1, host.size() - 2) : host;
  if (host.empty() || (!bracketed && host.find_first_of("[]:") != std::string_view::npos))
    refuse(url, "has a bad host");
  target.host_port = fmt::format("{}:{}", host, port);
  return target;
}

}  // namespace degu::bench
