// Url: where a request goes, http and https only.
#pragma once

#include <string>
#include <string_view>

namespace degu::http::internal {

struct Url {
  bool secure = false;
  std::string authority;  ///< as the Host field has it
  std::string host;       ///< without a port and brackets
  std::string address;    ///< host:port to connect to, in lower case
  std::string target;     ///< path and query

  /// Without a fragment.
  std::string text() const;
  /// What a connection may be shared for: a connection by TLS must not serve a plain request, nor the other way round.
  std::string origin() const { return (secure ? "https://" : "http://") + address; }
};

/// An absolute URL without user and password; its fragment is dropped. Throws Error(kInvalidArgument).
Url parse_url(std::string_view url);
/// The same for another scheme: "ws" allows "ws://" and "wss://".
Url parse_url(std::string_view url, std::string_view scheme);

/// The URL that a reference names which came from `base` (RFC 3986 section 5.2). Throws as parse_url().
Url resolve_url(const Url& base, std::string_view reference);

}  // namespace degu::http::internal
