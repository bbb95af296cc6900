#include <degu/base/error.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/url.h>
#include <fmt/format.h>

#include <algorithm>

namespace degu::http::internal {
namespace {

Error bad_url(std::string_view url, std::string_view why) {
  return {Code::kInvalidArgument, fmt::format("URL \"{}\": {}", url.substr(0, 200), why)};
}

// What another reader could take for the end of the host, or for another host.
bool is_host_text(std::string_view text) noexcept {
  return !text.empty() && text.find_first_of("@\\\"<>^`{|}") == std::string_view::npos;
}

bool is_port(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 5 && parse_digits(text) && *parse_digits(text) <= 65535;
}

// RFC 3986 section 5.2.4, for a path that begins with a slash.
std::string remove_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    const bool last = path.empty();
    if (segment == "/..") out.erase(std::min(out.rfind('/'), out.size()));
    if (segment == "/." || segment == "/..") {
      if (last) out += '/';
    } else {
      out += segment;
    }
  }
  return out;
}

bool has_scheme(std::string_view reference) noexcept {
  const std::size_t colon = reference.find_first_of(":/?#");
  return colon != std::string_view::npos && colon > 0 && reference[colon] == ':';
}

}  // namespace

std::string Url::text() const { return (secure ? "https://" : "http://") + authority + target; }

Url parse_url(std::string_view url) { return parse_url(url, "http"); }

Url parse_url(std::string_view url, std::string_view scheme) {
  const std::string plain_start = fmt::format("{}://", scheme);
  const std::string secure_start = fmt::format("{}s://", scheme);
  const bool secure = equals_ignoring_case(url.substr(0, secure_start.size()), secure_start);
  const std::size_t scheme_bytes = secure ? secure_start.size() : plain_start.size();
  if (!secure && !equals_ignoring_case(url.substr(0, scheme_bytes), plain_start))
    throw bad_url(url, fmt::format("must start with {} or {}", plain_start, secure_start));
  const std::string_view rest = url.substr(scheme_bytes, url.find('#') - scheme_bytes);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  Url result;
  result.secure = secure;
  result.authority = rest.substr(0, end);
  result.target = rest.substr(end);
  if (result.target.empty() || result.target.front() == '?') result.target.insert(0, 1, '/');
  for (const char c : rest) {
    if (c <= 0x20 || c >= 0x7F) throw bad_url(url, "has characters that must be percent-encoded");
  }
  const std::size_t colon = result.authority.rfind(':');
  const bool has_port = colon != std::string::npos && result.authority.find(']', colon) == std::string::npos;
  result.host = result.authority.substr(0, has_port ? colon : std::string::npos);
  if (!is_host_text(result.host)) throw bad_url(url, "has no usable host");
  if (has_port && !is_port(std::string_view(result.authority).substr(colon + 1)))
    throw bad_url(url, "has no usable port");
  result.address = has_port ? result.authority : result.authority + (secure ? ":443" : ":80");
  std::transform(result.address.begin(), result.address.end(), result.address.begin(), to_lower);
  if (result.host.size() > 2 && result.host.front() == '[' && result.host.back() == ']')
    result.host = result.host.substr(1, result.host.size() - 2);
  return result;
}

Url resolve_url(const Url& base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  if (has_scheme(reference)) return parse_url(reference);
  const std::string scheme = base.secure ? "https:" : "http:";
  if (reference.starts_with("//")) return parse_url(scheme + std::string(reference));
  const std::string_view base_path = std::string_view(base.target).substr(0, base.target.find('?'));
  std::string target;
  if (reference.empty()) {
    target = base.target;
  } else if (reference.front() == '?') {
    target = std::string(base_path).append(reference);
  } else {
    const std::size_t query = std::min(reference.find('?'), reference.size());
    std::string path(reference.substr(0, query));
    if (path.front() != '/') path.insert(0, base_path.substr(0, base_path.rfind('/') + 1));
    target = remove_dot_segments(path).append(reference.substr(query));
  }
  return parse_url(scheme + "//" + base.authority + target);
}

}  // namespace degu::http::internal
