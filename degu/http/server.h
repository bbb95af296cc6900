// Server: HTTP/1.1 and HTTP/2 on a listener, goroutines for connections that have something to say.
#pragma once

#include <degu/http/refusal.h>
#include <degu/http/request_parser.h>
#include <degu/http/router.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace degu::net {
class TcpListener;
class TlsServer;
}  // namespace degu::net

namespace degu::http {

struct ServerOptions {
  ParseLimits head;                          ///< 32 KiB, 100 fields, URI 8 KiB
  std::size_t max_body_bytes = 1024 * 1024;  ///< routes may set their own
  std::size_t max_connections = 10'000;      ///< further ones get 503 and are closed
  /// Connections that one client may have, by its address or the /64 of its IPv6 address; further ones are turned away as
  /// those beyond max_connections. With behind_proxy it is the address that the proxy tells. 0: as many as there are.
  ///
  /// Unset it is half of max_connections, so that no client can keep all others out, and does not count those that come by
  /// loopback: a load test, or a proxy on this host that speaks for many clients. A proxy elsewhere that does not tell whom
  /// it speaks for (behind_proxy) is one client, and wants a higher number.
  std::optional<std::size_t> max_connections_per_address;
  std::chrono::nanoseconds header_timeout =
      std::chrono::seconds(10);  ///< from a request's first byte; then 408
  std::chrono::nanoseconds idle_timeout =
      std::chrono::seconds(60);  ///< between requests; then the connection closes
  std::chrono::nanoseconds io_timeout =
      std::chrono::seconds(30);             ///< body read or response write without progress
  std::size_t min_bytes_per_second = 1024;  ///< slower bodies and readers are cut after io_timeout
  /// After the begin of shutdown() idle connections stay open for this long, for requests that are on their way; these are
  /// answered, with Connection: close. A client whose pauses are shorter, and that heeds what an answer says, loses nothing.
  std::chrono::nanoseconds idle_grace = std::chrono::milliseconds(500);
  /// Connections speak TLS; null: they do not. A handshake has header_timeout. Changed certificates are noticed within ten
  /// seconds and used for new connections.
  std::shared_ptr<net::TlsServer> tls;
  /// Every connection comes through a proxy that says whom from: see net::behind_proxy().
  bool behind_proxy = false;
  /// Is told what never reaches a handler, nor the router's middleware, for the access log: refusal_log(). May be null.
  std::shared_ptr<RefusalObserver> on_refusal;
};

/// Serves a router. HTTP/1.1 and 1.0, keep-alive and pipelining (answers in order), chunked both ways: handlers run on the
/// connection's goroutine, one request at a time. HTTP/2 by ALPN, prior knowledge and upgrade: up to 100 handlers of a
/// connection run at once, in goroutines of their own. A connection that waits for its next request has neither goroutine nor
/// buffer. The context of a handler is a child of
/// the one serve() was called in; it has a deadline when the route or the client's x-request-timeout-ms gives
/// one.
class Server {
 public:
  explicit Server(Router router, ServerOptions options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// serve() must have returned.
  ~Server();

  /// Accepts and serves until shutdown() or the end of the current context; returns when every connection has
  /// ended. One call per listener; several listeners may be served at once. In the end connections are refused that come by
  /// this listener, unless it is shared() with other processes.
  void serve(net::TcpListener& listener);

  /// Stops accepting, lets requests in flight finish (answered with Connection: close), closes idle connections after
  /// idle_grace, those of HTTP/2 when their client has heard of it, and after `drain` cancels the contexts of requests that
  /// are not done. What waited to be accepted is served still, unless another process can do that, as the listener is
  /// shared(). Returns when all connections have ended. Callable from any goroutine.
  void shutdown(std::chrono::nanoseconds drain);

  std::size_t connections() const noexcept;
  /// Requests answered since the start, including refused ones.
  uint64_t requests() const noexcept;
  /// What was turned away for this reason since the start. Of all servers together: the metric degu_http_refusals_total.
  uint64_t refusals(RefusalCause cause) const noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace degu::http
