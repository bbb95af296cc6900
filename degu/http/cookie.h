// Cookie, set_cookie: cookies that are safe unless told otherwise (RFC 6265, and RFC 6265bis for SameSite and prefixes).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace degu::http {

class Exchange;

enum class SameSite : uint8_t {
  kLax,     ///< sent along when a user follows a link from another site, not with its forms and scripts
  kStrict,  ///< never sent along with requests that another site causes
  kNone,    ///< always sent along; needs `secure`
};

/// One cookie as Set-Cookie describes it. By default it is kept from scripts, from unencrypted connections and from
/// other sites' forms, and ends with the browser's session.
struct Cookie {
  std::string name;
  std::string value{};
  std::string path = "/";                         ///< "": the folder of the request's path
  std::string domain{};                           ///< "": this host only, not its subdomains
  std::optional<std::chrono::seconds> max_age{};  ///< 0 or less removes the cookie
  std::optional<std::chrono::system_clock::time_point> expires{};
  bool secure = true;
  bool http_only = true;
  SameSite same_site = SameSite::kLax;
  bool partitioned = false;  ///< one a top-level site; needs `secure`
};

/// The value of a Set-Cookie field. Throws Error(kInternal), as Exchange::set_header does, when a browser would read
/// something else than was meant, or would refuse the cookie: a name that is no token; octets in the value that
/// RFC 6265 section 4.1.1 leaves out (spaces, quotes, commas, semicolons, backslashes, controls, non-ASCII: encode
/// them); a path that does not start with '/' or holds a semicolon; a domain that is no host name; name and value
/// beyond 4,096 bytes; a prefix __Secure- without `secure`, __Host- without `secure`, with a domain or a path other
/// than "/"; SameSite=None or Partitioned without `secure`.
std::string to_string(const Cookie& cookie);

/// Adds the cookie to the response. Of two with the same name, domain and path a browser keeps the later.
void set_cookie(Exchange& c, const Cookie& cookie);

/// Tells the browser to forget the cookie: name, domain and path must be those that it was set with.
void delete_cookie(Exchange& c, std::string_view name, std::string_view path = "/",
                   std::string_view domain = {});

namespace internal {

/// The first cookie of that name in the value of a Cookie field, without quotes around it. Pairs that RFC 6265 section
/// 4.2.1 does not allow are passed over, alone: one bad cookie, which any subdomain can set, takes no other with it.
/// Names are case-sensitive.
std::optional<std::string_view> find_cookie(std::string_view header, std::string_view name) noexcept;

}  // namespace internal
}  // namespace degu::http
