// Address: an IP address and a port.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace degu::net {

/// IPv4 or IPv6 with a port; a value of 32 bytes that holds the kernel's form. Default-constructed: none.
class Address {
 public:
  Address() noexcept = default;

  /// "127.0.0.1:80", "[::1]:80", "[fe80::1%2]:80". Numeric only, names are for resolve(). Throws
  /// Error(kInvalidArgument).
  static Address parse(std::string_view host_port);
  /// nullopt when `host` is not a numeric address.
  static std::optional<Address> from_ip(std::string_view host, uint16_t port) noexcept;
  /// nullopt for families other than AF_INET and AF_INET6.
  static std::optional<Address> from_raw(const sockaddr* raw, std::size_t size) noexcept;

  bool is_v4() const noexcept;
  bool is_v6() const noexcept;
  bool is_loopback() const noexcept;
  uint16_t port() const noexcept;
  void set_port(uint16_t port) noexcept;
  /// "127.0.0.1", "::1".
  std::string host() const;

  const sockaddr* raw() const noexcept { return reinterpret_cast<const sockaddr*>(bytes_.data()); }
  std::size_t raw_size() const noexcept { return size_; }
  explicit operator bool() const noexcept { return size_ != 0; }
  friend bool operator==(const Address& a, const Address& b) noexcept {
    return a.size_ == b.size_ && a.bytes_ == b.bytes_;
  }

 private:
  alignas(4) std::array<char, 28> bytes_{};  // a sockaddr_in or a sockaddr_in6
  uint32_t size_ = 0;
};

/// "127.0.0.1:80", "[::1]:80"; empty for none.
std::string to_string(const Address& address);

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

/// "host:port" and "[v6]:port" cut in two, the brackets taken off. Throws Error(kInvalidArgument) without a port, or with
/// one that is not a number up to 65535.
HostPort parse_host_port(std::string_view text);

}  // namespace degu::net
