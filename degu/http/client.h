// Client: HTTP/1.1 requests over pooled connections, plain or by TLS.
#pragma once

#include <degu/net/tls.h>

#include <chrono>
#include <cstddef>
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
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct Response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /// The first field of that name (case-insensitive); "" if absent.
  std::string_view header(std::string_view name) const noexcept;
};

struct ClientOptions {
  std::size_t max_idle_per_host = 16;
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds(30);
  std::size_t max_header_bytes = 64 * 1024;
  std::size_t max_body_bytes = 16 * 1024 * 1024;  ///< as sent, and as decoded
  net::TlsClientOptions tls;                      ///< for https; the files are read at the first such request
  /// Limit for requests whose context has no deadline.
  std::chrono::nanoseconds default_timeout = std::chrono::seconds(30);
  /// Asks for compressed bodies (`Accept-Encoding: gzip, br`) and decodes them; the Response then has neither
  /// Content-Encoding nor Content-Length. Not for HEAD, nor for requests with an Accept-Encoding or Range of their own:
  /// those get what the server sends.
  bool decode_content = true;
};

/// HTTP/1.1 client with a keep-alive pool for each host. Thread-safe: goroutines share one. Blocks
/// until the whole response is there; observes the current context and sends what is left of its deadline as
/// x-request-timeout-ms. A request on a pooled connection that the server had closed is repeated once on a
/// new one, if no byte of an answer came and the method is idempotent (RFC 9110 section 9.2.2). Redirects are
/// not followed.
///
/// Every status is a Response. Throws Error: kInvalidArgument for a bad URL, header or file, kUnavailable when the
/// server cannot be reached, is not who the URL says or breaks off, kInternal for a malformed answer, kResourceExhausted for one
/// beyond the limits; DeadlineExceeded and Cancelled by the context.
class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  Response get(std::string_view url);
  Response post(std::string_view url, std::string_view content_type, std::string body);
  Response request(const Request& request);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace degu::http
