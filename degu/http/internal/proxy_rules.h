// ProxyRules: which proxy a request goes through.
#pragma once

#include <degu/http/internal/ip.h>
#include <degu/http/internal/url.h>
#include <degu/http/proxy.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http::internal {

struct ProxyRoute {
  std::string address;        ///< host:port
  std::string authorization;  ///< value of Proxy-Authorization; "" without credentials
};

/// Immutable, so thread-safe.
class ProxyRules {
 public:
  /// Throws Error(kInvalidArgument) for what is no proxy or no host; without the password in its message.
  explicit ProxyRules(const ProxyOptions& options);

  /// Null: directly.
  const ProxyRoute* route_for(const Url& url) const noexcept;

 private:
  struct Exception {
    std::string name;  // in lower case; ".example.com" for what is below
    bool below_only = false;
    std::optional<IpRange> range;
    std::string port;  // "": any
  };

  static Exception parse_exception(std::string_view text);
  bool is_excepted(const Url& url) const noexcept;

  std::optional<ProxyRoute> http_;
  std::optional<ProxyRoute> https_;
  std::vector<Exception> exceptions_;
  bool none_ = false;  // "*"
};

}  // namespace degu::http::internal
