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

  /// A connection to the URL may turn out to speak HTTP/2.
  bool may_speak_http2(const Url& url, const ProxyRoute* proxy) const noexcept;
  /// It does: by what the server has chosen, or by prior knowledge. Throws NotAnswered when nothing else is wanted, and it
  /// does not.
  bool speaks_http2(const net::TcpStream& stream, const Url& url, const ProxyRoute* proxy) const;

 private:
  static net::TlsClientOptions tls_options(const ClientOptions& options);

  const ClientOptions& options_;
  OnceValue<UniqueFunction<net::TlsClient()>> tls_{[this] { return net::TlsClient(tls_options(options_)); }};
};

}  // namespace degu::http::internal
