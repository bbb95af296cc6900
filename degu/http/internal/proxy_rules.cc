#include <degu/base/error.h>
#include <degu/http/internal/base64.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/percent.h>
#include <degu/http/internal/proxy_rules.h>
#include <fmt/format.h>

#include <algorithm>

namespace degu::http {

ProxyOptions proxy_options(std::string_view http, std::string_view https, std::string_view no_proxy) {
  const auto whole = [](std::string_view text) {
    const bool bare = !text.empty() && text.find("://") == std::string_view::npos;
    return (bare ? "http://" : "") + std::string(text);
  };
  ProxyOptions options{whole(http), whole(https), {}};
  internal::each_list_element(no_proxy, [&](std::string_view host) { options.no_proxy.emplace_back(host); });
  return options;
}

namespace internal {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
  return out;
}

std::string decoded(std::string_view text) {
  std::string plain;  // decode_query() would take '+' for a space
  for (const char c : text) plain += c == '+' ? std::string("%2B") : std::string(1, c);
  std::string out;
  if (!decode_query(plain, out) || !is_field_value(out))
    throw Error(Code::kInvalidArgument, "a proxy's credentials are malformed");
  return out;
}

std::optional<ProxyRoute> parse_proxy(std::string_view text) {
  if (text.empty()) return std::nullopt;
  constexpr std::string_view kScheme = "http://";
  if (!equals_ignoring_case(text.substr(0, kScheme.size()), kScheme))
    throw Error(Code::kInvalidArgument, "a proxy must start with http://");
  std::string_view rest = text.substr(kScheme.size());
  ProxyRoute route;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view credentials = rest.substr(0, at);
    const std::size_t colon = credentials.find(':');
    const std::string user = decoded(credentials.substr(0, colon));
    // RFC 7617 section 2: what is behind the first colon is the password.
    if (user.find(':') != std::string::npos)
      throw Error(Code::kInvalidArgument, "a proxy's user has a colon");
    const std::string password =
        colon == std::string_view::npos ? std::string() : decoded(credentials.substr(colon + 1));
    route.authorization = "Basic " + to_base64(user + ":" + password);
    rest.remove_prefix(at + 1);
  }
  const Url url = parse_url(std::string(kScheme).append(rest));
  if (url.target != "/") throw Error(Code::kInvalidArgument, "a proxy has no path");
  route.address = url.address;
  return route;
}

bool is_loopback(const IpAddress& address) {
  return address.is_v4() ? address.bytes[12] == 127 : address == *IpAddress::parse("::1");
}

}  // namespace

ProxyRules::ProxyRules(const ProxyOptions& options)
    : http_(parse_proxy(options.http)), https_(parse_proxy(options.https)) {
  for (const std::string& host : options.no_proxy) {
    if (host == "*") {
      none_ = true;
    } else {
      exceptions_.push_back(parse_exception(host));
    }
  }
}

ProxyRules::Exception ProxyRules::parse_exception(std::string_view text) {
  Exception made;
  if (text.find('/') != std::string_view::npos) {
    made.range = IpRange::parse(text);
    return made;
  }
  if (IpAddress::parse(text)) {  // an IPv6 address has colons of its own
    made.range = IpRange::parse(text);
    return made;
  }
  made.below_only = text.starts_with('.');
  const std::string_view name = made.below_only ? text.substr(1) : text;
  const Url url = parse_url(std::string("http://").append(name));
  if (url.authority.size() != name.size())
    throw Error(Code::kInvalidArgument, fmt::format("no_proxy: \"{}\" is no host", text));
  if (url.address != lower(url.authority + ":80")) made.port = url.address.substr(url.address.rfind(':') + 1);
  made.name = lower(url.host);
  if (IpAddress::parse(made.name)) made.range = IpRange::parse(made.name);
  return made;
}

bool ProxyRules::is_excepted(const Url& url) const noexcept {
  const std::string host = lower(url.host);
  const std::string port = url.address.substr(url.address.rfind(':') + 1);
  const auto address = IpAddress::parse(host);
  if (host == "localhost" || (address && is_loopback(*address))) return true;
  return std::any_of(exceptions_.begin(), exceptions_.end(), [&](const Exception& exception) {
    if (!exception.port.empty() && exception.port != port) return false;
    if (exception.range) return address && exception.range->contains(*address);
    if (!exception.below_only && host == exception.name) return true;
    return host.size() > exception.name.size() && host.ends_with(exception.name) &&
           host[host.size() - exception.name.size() - 1] == '.';
  });
}

const ProxyRoute* ProxyRules::route_for(const Url& url) const noexcept {
  const std::optional<ProxyRoute>& route = url.secure ? https_ : http_;
  if (!route || none_ || is_excepted(url)) return nullptr;
  return &*route;
}

}  // namespace internal
}  // namespace degu::http
