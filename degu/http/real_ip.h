// real_ip: the client's address behind proxies.
#pragma once

#include <degu/http/exchange.h>

#include <cstdint>
#include <string>
#include <vector>

namespace degu::http {

/// Which field the proxies keep. Believe only the one that yours overwrite or append to: the other comes from the client.
enum class ProxyField : uint8_t {
  kXForwardedFor,  ///< with X-Forwarded-Proto
  kForwarded,      ///< RFC 7239
};

struct RealIpOptions {
  /// Addresses and CIDR ranges of the proxies: "10.0.0.0/8", "fd00::/8", "::1". IPv4-mapped IPv6 is IPv4.
  std::vector<std::string> trusted = {};
  ProxyField field = ProxyField::kXForwardedFor;
};

/// Finds out who sent the request first. If the TCP peer is trusted, the last entry of the field is who talked to it;
/// if that is trusted too, the one before it, and so on: the client is the first address from the right that is not
/// trusted, or the leftmost one. An entry that is no address ("unknown", "_hidden", garbage) ends the walk at the proxy
/// that wrote it. What a client writes itself stands further left and is never reached.
///
/// From then on client_ip() gives that address and access_log() logs it; Exchange::secure() is true if the proxy says
/// that the client came over TLS: by the "proto" of the entry the client was found in, or by X-Forwarded-Proto, which
/// has to be the one word "https" then, in one field.
///
/// Throws Error(kInvalidArgument) for ranges that are none, and without any.
Handler real_ip(RealIpOptions options);

/// The client's address without port: by real_ip(), else the TCP peer's. IPv4-mapped addresses as IPv4. "" without a
/// socket and for peers that are no IP address.
std::string client_ip(const Exchange& exchange);

}  // namespace degu::http
