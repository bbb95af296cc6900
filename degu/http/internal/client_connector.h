// ClientConnector: new connections of a client.
#pragma once

#include <degu/base/function.h>
#include <degu/base/time.h>
#include <degu/http/client.h>
#include <degu/http/internal/url.h>
#include <degu/net/tcp.h>
#include <degu/net/tls.h>
#include <degu/sync/once.h>

namespace degu::http::internal {

/// Thread-safe.
class ClientConnector {
 public:
  /// `options` have to live as long.
  explicit ClientConnector(const ClientOptions& options) : options_(options) {}

  /// A connection to the URL's origin, with TLS for https, or to the proxy, null for none, and for https through it. Throws NotAnswered when there is none, also by the timeouts of
  /// connecting, Error(kInvalidArgument) for bad files, DeadlineExceeded and Cancelled.
  net::TcpStream connect(const Url& url, const ProxyRoute* proxy, TimePoint deadline);

 private:
  const ClientOptions& options_;
  OnceValue<UniqueFunction<net::TlsClient()>> tls_{[this] { return net::TlsClient(options_.tls); }};
};

}  // namespace degu::http::internal
