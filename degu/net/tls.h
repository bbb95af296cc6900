// TLS over any connection: TlsServer and TlsClient turn a TcpStream into one that speaks TLS 1.2 or 1.3.
#pragma once

#include <degu/base/time.h>
#include <degu/net/tcp.h>
#include <degu/net/tls_options.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace degu::net {

/// Serves TLS: forward-secret AEAD suites only, no renegotiation, no compression, no early data. Thread-safe.
class TlsServer {
 public:
  /// Reads the files, which blocks (degu::blocking). Throws Error(kInvalidArgument) that names the file.
  explicit TlsServer(TlsServerOptions options);

  /// `plain` with TLS on it. The handshake takes place in the first read or write, or in tls_handshake(). Waits for nothing.
  TcpStream wrap(TcpStream plain) const;

  /// Reads the files again; connections made from now on use them. Throws as the constructor, and the old ones stay.
  void reload();
  /// reload() if a file has changed since it was read last. Looks at the files, which blocks.
  bool reload_if_changed();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Connects by TLS, and keeps a session for each of up to 256 servers to resume it. Thread-safe.
class TlsClient {
 public:
  /// Reads the files, which blocks. Throws Error(kInvalidArgument) that names the file.
  explicit TlsClient(TlsClientOptions options = {});

  /// `plain` with TLS on it, for a server that has to prove to be `server_name`, a DNS name or an IP address. As
  /// TlsServer::wrap(). The last session with that name at `address`, anything that tells servers of one name from each
  /// other, is resumed if there is one; the server may decline.
  TcpStream wrap(TcpStream plain, std::string_view server_name, std::string_view address = {}) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Brings the handshake of a wrapped stream to its end; at once if it took place already, or if there is no TLS. Throws
/// Error(kUnavailable) with what was wrong, Cancelled or DeadlineExceeded by the context and by `deadline`.
void tls_handshake(Stream& stream, TimePoint deadline = kNever);

/// What two ends agreed on.
struct TlsInfo {
  std::string version;      ///< "TLSv1.3"
  std::string cipher;       ///< "TLS_AES_256_GCM_SHA384"
  std::string alpn;         ///< empty: none
  std::string server_name;  ///< that the client asked for
  bool resumed = false;     ///< an earlier session, by a short handshake
  /// Of the other side's verified certificate; empty without one. The names are its DNS, URI and e-mail names.
  std::string peer_subject;
  std::vector<std::string> peer_names;
};

/// Nothing without TLS, or before the end of the handshake.
std::optional<TlsInfo> tls_info(const Stream& stream);

}  // namespace degu::net
