#include <arpa/inet.h>
#include <degu/base/error.h>
#include <degu/net/address.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>

namespace degu::net {
namespace {

static_assert(sizeof(sockaddr_in6) == 28);

template <class Raw>
Raw as(const Address& address) noexcept {
  Raw raw{};
  std::memcpy(&raw, address.raw(), sizeof raw);
  return raw;
}

std::optional<uint16_t> parse_number(std::string_view text) noexcept {
  uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

HostPort parse_host_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) {
    throw Error(Code::kInvalidArgument, fmt::format("address \"{}\" has no port; write host:port", text));
  }
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::optional<uint16_t> port = parse_number(text.substr(colon + 1));
  if (!port)
    throw Error(Code::kInvalidArgument, fmt::format("the port of \"{}\" is not a number up to 65535", text));
  return {std::string(host), *port};
}

Address Address::parse(std::string_view host_port) {
  const HostPort target = parse_host_port(host_port);
  const std::optional<Address> address = from_ip(target.host, target.port);
  if (!address) {
    throw Error(
        Code::kInvalidArgument,
        fmt::format("\"{}\" is not an IP address with a port; write 127.0.0.1:80 or [::1]:80", host_port));
  }
  return *address;
}

std::optional<Address> Address::from_ip(std::string_view host, uint16_t port) noexcept {
  std::array<char, INET6_ADDRSTRLEN + IF_NAMESIZE + 1> text{};
  if (host.size() >= text.size()) return std::nullopt;
  host.copy(text.data(), host.size());
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, text.data(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return from_raw(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  if (char* zone = std::strchr(text.data(), '%'); zone != nullptr) {
    *zone++ = '\0';
    const std::optional<uint16_t> number = parse_number(zone);
    v6.sin6_scope_id = number ? *number : ::if_nametoindex(zone);
    if (v6.sin6_scope_id == 0) return std::nullopt;
  }
  if (::inet_pton(AF_INET6, text.data(), &v6.sin6_addr) != 1) return std::nullopt;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  return from_raw(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

std::optional<Address> Address::from_raw(const sockaddr* raw, std::size_t size) noexcept {
  Address address;
  if (raw->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    address.size_ = sizeof(sockaddr_in);
  } else if (raw->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    address.size_ = sizeof(sockaddr_in6);
  } else {
    return std::nullopt;
  }
  std::memcpy(address.bytes_.data(), raw, address.size_);
  return address;
}

bool Address::is_v4() const noexcept { return size_ == sizeof(sockaddr_in); }
bool Address::is_v6() const noexcept { return size_ == sizeof(sockaddr_in6); }

bool Address::is_loopback() const noexcept {
  if (is_v4()) return ntohl(as<sockaddr_in>(*this).sin_addr.s_addr) >> 24 == 127;
  if (!is_v6()) return false;
  const sockaddr_in6 v6 = as<sockaddr_in6>(*this);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

// sin_port and sin6_port stand at the same place.
uint16_t Address::port() const noexcept {
  return is_v4() || is_v6() ? ntohs(as<sockaddr_in>(*this).sin_port) : uint16_t{0};
}

void Address::set_port(uint16_t port) noexcept {
  const uint16_t number = htons(port);
  std::memcpy(bytes_.data() + offsetof(sockaddr_in, sin_port), &number, sizeof number);
}

std::string Address::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_v4()) {
    const auto v4 = as<sockaddr_in>(*this);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return text.data();
  }
  if (!is_v6()) return {};
  const auto v6 = as<sockaddr_in6>(*this);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  if (v6.sin6_scope_id != 0) return fmt::format("{}%{}", text.data(), v6.sin6_scope_id);
  return text.data();
}

std::string to_string(const Address& address) {
  if (!address) return {};
  if (address.is_v6()) return fmt::format("[{}]:{}", address.host(), address.port());
  return fmt::format("{}:{}", address.host(), address.port());
}

}  // namespace degu::net
