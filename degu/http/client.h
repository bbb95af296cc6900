// Client: requests of HTTP/1.1 and HTTP/2 over pooled connections, plain or by TLS.
#pragma once

#include <degu/http/proxy.h>
#include <degu/http/request_body.h>
#include <degu/http/response_body.h>
#include <degu/net/tls_options.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http {

struct Request {
  std::string method = "GET";
  std::string url;  ///< "http://host[:port]/path?query", "https://..."
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  /// Sends the body only when the server has said that it wants it, or nothing for a second (RFC 9110 section 10.1.1). A
  /// server that knows no such thing (417) is asked again without.
  bool expect_continue = false;
};

struct Response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::vector<std::pair<std::string, std::string>> trailers = {};  ///< what came behind the body
  std::string url = {};                                            ///< that answered, after redirects

  /// The first field of that name (case-insensitive); "" if absent.
  std::string_view header(std::string_view name) const noexcept;
};

/// An answer whose body has still to be read.
struct OpenResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  ResponseBody body;
  std::string url;  ///< that answered, after redirects

  /// As Response::header().
  std::string_view header(std::string_view name) const noexcept;
};

/// When requests are repeated that failed on their way to the head of an answer: when there was no connection, whatever the
/// method; when it broke off, if the method is idempotent (RFC 9110 section 9.2.2) or the request has an Idempotency-Key;
/// never when its BodyWriter had begun. A client stops repeating while more than a few requests in ten fail (gRPC's A6,
/// 10 tokens, ratio 0.1).
struct RetryOptions {
  int max_attempts = 1;  ///< the first one included; 1: nothing is repeated
  /// The n-th pause is random, up to initial_backoff * 2^(n-1) and max_backoff.
  std::chrono::nanoseconds initial_backoff = std::chrono::milliseconds(50);
  std::chrono::nanoseconds max_backoff = std::chrono::seconds(1);
  /// A 429 or 503 that says when to come again (Retry-After), within max_retry_after, is a failure too; for idempotent
  /// requests. If that is after the deadline, it is the answer.
  bool retry_after = false;
  std::chrono::nanoseconds max_retry_after = std::chrono::seconds(30);
};

/// Which HTTP a client speaks.
enum class HttpVersion : uint8_t {
  kAny,    ///< by TLS HTTP/2 if the server wants it (ALPN), and HTTP/1.1 else
  kHttp1,  ///< never HTTP/2
  /// Nothing else; in clear text by prior knowledge (RFC 9113 section 3.3). Plain requests through a proxy are HTTP/1.1 all
  /// the same.
  kHttp2,
};

struct ClientOptions {
  HttpVersion version = HttpVersion::kAny;
  std::size_t max_idle_per_host = 16;
  std::size_t max_idle = 128;  ///< in total; the one that lay longest goes first
  /// In use or idle, at least 1; further requests wait for one, in order, as long as their deadline lets them.
  std::size_t max_connections_per_host = 256;
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds(30);  ///< of a pooled connection
  std::size_t max_header_bytes = 64 * 1024;
  /// As sent, and as decoded. Of whole answers; open() has no such limit.
  std::size_t max_body_bytes = 16 * 1024 * 1024;
  /// For https; the files are read at the first such request. What `version` asks for is offered by ALPN, unless `alpn` says
  /// otherwise: then that is, and what the server chooses of it is spoken.
  net::TlsClientOptions tls;
  /// Limit for requests whose context has no deadline. With open(): until the head has come.
  std::chrono::nanoseconds default_timeout = std::chrono::seconds(30);
  /// Limits of the parts of a request; 0: only the deadline counts. It always counts besides.
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);  ///< name and TCP
  std::chrono::nanoseconds tls_timeout = std::chrono::seconds(10);
  std::chrono::nanoseconds head_timeout{0};  ///< from the end of the request to the answer's head
  std::chrono::nanoseconds body_idle_timeout =
      std::chrono::seconds(30);  ///< nothing of a body comes, or goes
  /// HTTP/2: a server that is silent for so long while a request waits for it is asked whether it lives (PING), and has as long
  /// to answer before the connection is given up. 0: never.
  std::chrono::nanoseconds http2_ping_after = std::chrono::seconds(15);
  /// Redirects in a row that are followed, with method and body as browsers do: 303, and 301 and 302 for POST, lead to a
  /// GET; 307 and 308 keep both, unless a BodyWriter has made the body. Authorization, Cookie and Proxy-Authorization
  /// are not sent to another origin, and from https to http they are not followed. 0: a redirect is an answer.
  std::size_t max_redirects = 10;
  bool redirect_to_http = false;  ///< from https too
  RetryOptions retry;
  /// None by default, whatever the environment says: app::proxy_from_environment() reads it.
  ProxyOptions proxy;
  /// Asks for compressed bodies (`Accept-Encoding: gzip, br`) and decodes them; the Response then has neither
  /// Content-Encoding nor Content-Length. Not for HEAD, nor for requests with an Accept-Encoding or Range of their own:
  /// those get what the server sends.
  bool decode_content = true;
};

/// HTTP client with a pool of connections for each host: of HTTP/1.1 for one request at a time, of HTTP/2 for as many as the
/// server allows, up to 256. Thread-safe: goroutines share one. request() blocks until the
/// whole response is there, open() until its head is. Both observe the current context, send what is left of its deadline as
/// x-request-timeout-ms, and pass its TraceContext (trace_context.h) on as traceparent, with a span id of its own, and
/// tracestate, unless the request has such fields itself. A request on a pooled connection that the server had
/// closed is repeated once on a new one, if no byte of an answer came and it may be repeated (RetryOptions), whatever
/// max_attempts says; so is, up to three times, one that a server of HTTP/2 has refused unseen (RFC 9113 section 8.7),
/// whatever its method. Redirects are followed, within the same deadline.
///
/// A body from a BodyWriter, and one of more than 64 KiB, is sent while the answer is already awaited: an answer of 300
/// or more, or one that ends the connection, stops it. Not for conversations: the body of a success is read only when
/// the request's has been sent.
///
/// Every status is a Response. Throws Error: kInvalidArgument for a bad URL, header or file, and for more than 64 KiB of
/// headers on HTTP/2, kUnavailable when the server cannot be reached, is not who the URL says or breaks off, kInternal for a
/// malformed answer, kResourceExhausted for one beyond the limits or too many redirects, kFailedPrecondition for a redirect
/// from https to http, kPermissionDenied when a proxy refuses a tunnel; DeadlineExceeded and Cancelled by the context, and
/// DeadlineExceeded by the timeouts.
class Client {
 public:
  /// Throws Error(kInvalidArgument) for proxies that are none.
  explicit Client(ClientOptions options = {});
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  Response get(std::string_view url);
  Response post(std::string_view url, std::string_view content_type, std::string body);
  Response request(const Request& request);
  /// `write` makes the body (chunked), instead of request.body. It is called at most once, in this goroutine.
  Response request(const Request& request, BodyWriter write);

  /// The head, and a body to be read as it comes.
  ///
  ///   http::OpenResponse answer = client.open({"GET", url});
  ///   for (std::string_view piece = answer.body.next(); !piece.empty(); piece = answer.body.next()) use(piece);
  OpenResponse open(const Request& request);
  OpenResponse open(const Request& request, BodyWriter write);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace degu::http
