// ProxyOptions: the proxies through which a client goes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace degu::http {

/// Proxies are "http://[user:password@]host[:port]", with user and password percent-encoded where need be, sent as Basic
/// credentials (RFC 7617) to the proxy alone. Empty: none. The way to the proxy itself is not encrypted.
struct ProxyOptions {
  std::string http;  ///< for http: asked with the whole URL (RFC 9112 section 3.2.2)
  std::string
      https;  ///< for https: makes a tunnel by CONNECT (RFC 9110 section 9.3.6), so it sees host and port only
  /// Hosts that are asked directly: "example.com" and all below it, ".example.com" what is below it, an address or a block
  /// of addresses ("10.0.0.0/8"), each but the block with ":port" or not; "*" is every one. Names are not resolved for it.
  /// "localhost" and loopback addresses are always asked directly.
  std::vector<std::string> no_proxy;
};

/// From texts as environment variables have them: a proxy may lack its "http://", `no_proxy` is separated by commas.
ProxyOptions proxy_options(std::string_view http, std::string_view https, std::string_view no_proxy);

}  // namespace degu::http
