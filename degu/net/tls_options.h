// What TlsServer and TlsClient are made with (tls.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace degu::net {

/// PEM files: a certificate with the chain behind it, and its private key.
struct TlsKeyPair {
  std::string certificate_file;
  std::string key_file;
};

/// What a server wants to know of its clients.
enum class ClientCertificates : uint8_t {
  kIgnored,
  kVerifiedIfGiven,  ///< one that does not verify ends the handshake, none does not
  kRequired,
};

struct TlsServerOptions {
  /// The first whose certificate has the name that the client asked for (SNI; wildcards as RFC 6125) is used, and the
  /// first of all when there is none, or no name.
  std::vector<TlsKeyPair> certificates;
  ClientCertificates client_certificates = ClientCertificates::kIgnored;
  std::string client_ca_file;  ///< PEM; required to verify clients
  /// Best first, "h2", "http/1.1"; none in common ends the handshake (RFC 7301).
  std::vector<std::string> alpn;
  bool tls12 = true;  ///< false: TLS 1.3 only
  /// At least 32 random bytes: servers that have the same resume each other's sessions, and their own after reload() and a
  /// restart. The keys that seal tickets are made from it and the time; each serves for 12 hours, and its tickets for 12
  /// more. Keep it as a private key: whoever has it can resume those sessions, and read those of TLS 1.2. Empty: sessions
  /// are resumed by the server object that gave them, until reload().
  std::string ticket_secret;
};

struct TlsClientOptions {
  std::string ca_file;                    ///< PEM; empty: what the system trusts
  std::optional<TlsKeyPair> certificate;  ///< to show when the server asks for one
  std::vector<std::string> alpn;
  bool verify = true;  ///< false: any server is believed to be anybody; for tests
  bool tls12 = true;
  bool resume = true;  ///< false: every handshake is a full one
};

}  // namespace degu::net
