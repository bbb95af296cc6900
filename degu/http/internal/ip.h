// IpAddress and IpRange: addresses as bytes, to be compared and masked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http::internal {

/// IPv4 or IPv6 without port and zone. IPv4 is kept as the IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), and
/// such an IPv6 address is IPv4: one host, one value.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};

  /// nullopt unless `text` is "192.0.2.1" or "2001:db8::1", and nothing else.
  static std::optional<IpAddress> parse(std::string_view text) noexcept;
  /// The same with a port or not: "192.0.2.1:80", "[2001:db8::1]:80", "[2001:db8::1]".
  static std::optional<IpAddress> parse_node(std::string_view text) noexcept;

  /// That of Stream::peer(), which has a port and may have a zone: "[fe80::1%2]:80". nullopt for what is no IP address.
  static std::optional<IpAddress> of_peer(std::string peer) noexcept;

  bool is_v4() const noexcept;
  /// 127.0.0.0/8, ::1.
  bool is_loopback() const noexcept;
  /// All but the first `bits` of 128 cleared.
  IpAddress masked(unsigned bits) const noexcept;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

std::string to_string(const IpAddress& address);

/// A block of addresses in CIDR notation (RFC 4632).
class IpRange {
 public:
  /// "10.0.0.0/8", "2001:db8::/32", "::1". Throws Error(kInvalidArgument), also for bits behind the prefix.
  static IpRange parse(std::string_view text);
  /// IPv4 addresses are in IPv4 ranges only: "::/0" has none of them.
  bool contains(const IpAddress& address) const noexcept;

 private:
  IpAddress base_;
  unsigned bits_ = 128;
};

}  // namespace degu::http::internal
