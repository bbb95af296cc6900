#include <degu/net/internal/errno_error.h>
#include <degu/net/internal/network.h>
#include <degu/net/resolve.h>
#include <degu/net/udp.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <utility>
#include <vector>

namespace degu::net {
namespace {

[[gnu::noinline]] int open_socket(bool v6) noexcept {
  const int fd = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

enum class Use : bool { kReceive, kTalk };

// 0 or an errno.
[[gnu::noinline]] int attach(int fd, Use use, const Address& address) noexcept {
  const auto call = use == Use::kReceive ? &::bind : &::connect;
  return call(fd, address.raw(), static_cast<socklen_t>(address.raw_size())) == 0 ? 0 : errno;
}

// 0 or the errno of the attempt.
int open_at(const Address& address, Use use, Socket& out) {
  if (internal::Network* network = internal::current_network(); network != nullptr) {
    const internal::Accepted opened =
        use == Use::kReceive ? network->bind_datagrams(address) : network->connect_datagrams(address);
    if (opened.error == 0) out = Socket(opened.endpoint);
    return opened.error;
  }
  const int fd = open_socket(address.is_v6());
  const int error = fd < 0 ? -fd : attach(fd, use, address);
  if (error == 0) {
    out = Socket(fd);
  } else if (fd >= 0) {
    ::close(fd);
  }
  return error;
}

Socket open_first(std::string_view action, std::string_view host_port, std::string_view empty_host, Use use) {
  const HostPort target = parse_host_port(host_port);
  const std::string_view host = target.host.empty() ? empty_host : std::string_view(target.host);
  int error = EADDRNOTAVAIL;
  for (const Address& address : resolve(host, target.port)) {
    Socket socket;
    error = open_at(address, use, socket);
    if (error == 0) return socket;
  }
  throw internal::errno_error(error, fmt::format("cannot {} {}", action, host_port));
}

Address parse_or_none(const std::string& text) { return text.empty() ? Address() : Address::parse(text); }

}  // namespace

UdpSocket UdpSocket::bind(std::string_view host_port) {
  UdpSocket socket;
  socket.socket_ = open_first("receive on", host_port, "0.0.0.0", Use::kReceive);
  return socket;
}

UdpSocket UdpSocket::connect(std::string_view host_port) {
  UdpSocket socket;
  socket.socket_ = open_first("send to", host_port, {}, Use::kTalk);
  return socket;
}

UdpSocket::Received UdpSocket::recv_from(std::span<char> into, TimePoint deadline) noexcept {
  internal::Endpoint* end = socket_.endpoint();
  if (end == nullptr) return {{0, EBADF}, {}, false};
  Received received;
  received.result = end->recv_from(into, received.from, deadline);
  // The length of the datagram, which may be more than fits.
  received.truncated = received.result.bytes > into.size();
  if (received.truncated) received.result.bytes = into.size();
  return received;
}

IoResult UdpSocket::send_to(Bytes bytes, const Address& to, TimePoint deadline) noexcept {
  internal::Endpoint* end = socket_.endpoint();
  return end != nullptr ? end->send_to(bytes, to, deadline) : IoResult{0, EBADF};
}

Address UdpSocket::local() const { return parse_or_none(socket_.local_address()); }

Address UdpSocket::peer() const { return parse_or_none(socket_.peer_address()); }

}  // namespace degu::net
