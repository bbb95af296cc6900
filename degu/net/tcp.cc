#include <arpa/inet.h>
#include <degu/base/error.h>
#include <degu/net/tcp.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

namespace degu::net {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

struct HostPort {
  std::string host;
  std::string port;
};

HostPort split(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) {
    throw Error(Code::kInvalidArgument, fmt::format("address \"{}\" has no port; write host:port", text));
  }
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {std::string(host), std::string(text.substr(colon + 1))};
}

std::vector<Address> resolve_now(const HostPort& target, bool passive) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  const int rc =
      ::getaddrinfo(target.host.empty() ? nullptr : target.host.c_str(), target.port.c_str(), &hints, &found);
  if (rc != 0) {
    throw Error(passive ? Code::kInvalidArgument : Code::kUnavailable,
                fmt::format("cannot resolve {}:{}: {}", target.host, target.port, ::gai_strerror(rc)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    Address address;
    std::memcpy(&address.storage, a->ai_addr, a->ai_addrlen);
    address.size = a->ai_addrlen;
    addresses.push_back(address);
  }
  return addresses;
}

bool is_numeric(const std::string& host) noexcept {
  std::array<unsigned char, 16> scratch{};
  return host.empty() || ::inet_pton(AF_INET, host.c_str(), scratch.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), scratch.data()) == 1;
}

std::vector<Address> resolve(const HostPort& target, bool passive) {
  if (is_numeric(target.host)) return resolve_now(target, passive);
  return blocking([&] { return resolve_now(target, passive); });
}

[[gnu::noinline]] int open_socket(int family) noexcept {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

[[gnu::noinline]] int connect_raw(int fd, const Address& address) noexcept {
  return ::connect(fd, address.get(), address.size) == 0 ? 0 : errno;
}

[[gnu::noinline]] int accept_raw(int fd) noexcept {
  const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return accepted >= 0 ? accepted : -errno;
}

void set_no_delay(int fd) noexcept {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// 0 or the errno of the attempt; throws when the context ends.
int try_connect(const Address& address, TcpStream& out) {
  const int fd = open_socket(address.storage.ss_family);
  if (fd < 0) return -fd;
  Socket socket(fd);
  int error = connect_raw(fd, address);
  if (error == EINPROGRESS) {
    error = socket.wait(rt::Direction::kWrite, kNever);
    if (error == ECANCELED) rt::throw_interrupted();
    if (error == 0) {
      socklen_t size = sizeof error;
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  if (error != 0) return error;
  set_no_delay(fd);
  out = TcpStream(std::move(socket));
  return 0;
}

std::string to_text(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> host{};
  if (address.storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, host.data(), host.size());
    return fmt::format("{}:{}", host.data(), ntohs(v4.sin_port));
  }
  if (address.storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, host.data(), host.size());
    return fmt::format("[{}]:{}", host.data(), ntohs(v6.sin6_port));
  }
  return {};
}

Code listen_error_code(int error) noexcept {
  switch (error) {
    case EADDRINUSE:
      return Code::kAlreadyExists;
    case EACCES:
      return Code::kPermissionDenied;
    case EADDRNOTAVAIL:
      return Code::kInvalidArgument;
    default:
      return Code::kUnavailable;
  }
}

[[gnu::noinline]] int bind_and_listen(int fd, const Address& address, const ListenOptions& options) noexcept {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (options.reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(fd, address.get(), address.size) != 0 || ::listen(fd, options.backlog) != 0) return errno;
  return 0;
}

}  // namespace

TcpStream TcpStream::connect(std::string_view host_port) {
  int error = EADDRNOTAVAIL;
  for (const Address& address : resolve(split(host_port), false)) {
    TcpStream stream;
    error = try_connect(address, stream);
    if (error == 0) return stream;
  }
  throw Error(Code::kUnavailable, fmt::format("cannot connect to {}: {}", host_port, std::strerror(error)));
}

IoResult TcpStream::write(std::span<const char> bytes, TimePoint deadline) noexcept {
  const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  return socket_.writev(std::span(&part, 1), deadline);
}

void TcpStream::shutdown_write() noexcept { ::shutdown(socket_.fd(), SHUT_WR); }

std::string TcpStream::peer() const {
  Address address;
  address.size = sizeof address.storage;
  if (::getpeername(socket_.fd(), reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0)
    return {};
  return to_text(address);
}

TcpListener TcpListener::listen(std::string_view host_port, const ListenOptions& options) {
  int error = EADDRNOTAVAIL;
  for (const Address& address : resolve(split(host_port), true)) {
    const int fd = open_socket(address.storage.ss_family);
    if (fd < 0) {
      error = -fd;
      continue;
    }
    error = bind_and_listen(fd, address, options);
    if (error == 0) {
      TcpListener listener;
      listener.socket_ = Socket(fd);
      return listener;
    }
    ::close(fd);
  }
  throw Error(listen_error_code(error),
              fmt::format("cannot listen on {}: {}", host_port, std::strerror(error)));
}

TcpStream TcpListener::accept() {
  while (true) {
    const int fd = accept_raw(socket_.fd());
    if (fd >= 0) {
      set_no_delay(fd);
      return TcpStream(fd);
    }
    if (fd == -EINTR || fd == -ECONNABORTED || fd == -EPROTO) continue;
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
      throw Error(Code::kResourceExhausted,
                  fmt::format("cannot accept a connection: {}", std::strerror(-fd)));
    }
    const int error = fd == -EAGAIN || fd == -EWOULDBLOCK ? socket_.wait(rt::Direction::kRead, kNever) : -fd;
    if (error == ECANCELED) rt::throw_interrupted();
    if (error != 0) throw Error(Code::kCancelled, "the listener was closed");
  }
}

std::string TcpListener::address() const {
  Address address;
  address.size = sizeof address.storage;
  if (::getsockname(socket_.fd(), reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0)
    return {};
  return to_text(address);
}

uint16_t TcpListener::port() const {
  Address address;
  address.size = sizeof address.storage;
  if (::getsockname(socket_.fd(), reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0)
    return 0;
  if (address.storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
}

}  // namespace degu::net
