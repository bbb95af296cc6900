// Refusal: a request, or a connection, that a server turned away by itself, before any handler saw it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace degu::http {

enum class RefusalCause : uint8_t {
  kConnections,   ///< ServerOptions::max_connections; 503
  kAddress,       ///< ServerOptions::max_connections_per_address; 503
  kProxyHeader,   ///< no PROXY header where there has to be one
  kTls,           ///< no handshake, for a connection of TLS
  kMalformed,     ///< 400, and 417 for an expectation that is unknown
  kUriTooLong,    ///< 414
  kHeadTooLarge,  ///< 431
  kUnsupported,   ///< 501, 505
  kTimeout,       ///< head or body took too long; 408
  kBodyTooLarge,  ///< 413
  kHttp2Error,    ///< frames that break the rules of HTTP/2: of a stream or of the connection
  kHttp2Flood,    ///< frames that serve nobody, streams beyond the allowed ones
};
inline constexpr std::size_t kRefusalCauses = 12;

/// "connections", "address", "proxy_header", "tls", "malformed", "uri_too_long", "head_too_large", "unsupported", "timeout",
/// "body_too_large", "http2_error", "http2_flood".
std::string_view to_string(RefusalCause cause) noexcept;

/// Views that are valid while it is told. All but the reason is what the client has sent.
struct Refusal {
  RefusalCause cause = RefusalCause::kMalformed;
  int status = 0;                ///< of the answer; 0: there is none
  std::string_view method = {};  ///< as far as known: a head that cannot be read may have none
  std::string_view path = {};    ///< without its query; at most 256 bytes of it
  std::string_view reason = {};
  std::string_view peer = {};  ///< "192.0.2.1:4711"
};

/// Is told of every refusal (ServerOptions::on_refusal), in goroutines of the server, several at once.
class RefusalObserver {
 public:
  virtual ~RefusalObserver() = default;
  /// Must not wait for a client, or for the server: it holds up who accepts connections, or the connection itself.
  virtual void refused(const Refusal& refusal) noexcept = 0;
};

struct RefusalLogOptions {
  double per_second = 10;  ///< records in the long run, from 1e-6 to 1e6
  uint64_t burst = 100;    ///< records at once after a pause
};

/// The access log's part (see access_log()): a record through degu::log for each refusal, as "request" if it was answered and
/// else as "connection", with method, path, status, peer and besides `refused`, the cause, and `reason`. A flood does not
/// fill the disk: beyond the rate records are left out, and the next one says in `suppressed` how many were. Throws
/// Error(kInvalidArgument) for a rate out of range.
std::shared_ptr<RefusalObserver> refusal_log(RefusalLogOptions options = {});

}  // namespace degu::http
