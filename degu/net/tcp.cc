#include <degu/base/error.h>
#include <degu/net/address.h>
#include <degu/net/internal/accept.h>
#include <degu/net/internal/connect_share.h>
#include <degu/net/internal/network.h>
#include <degu/net/resolve.h>
#include <degu/net/tcp.h>
#include <degu/rt/cancel.h>
#include <degu/rt/park.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace degu::net {
namespace {

[[gnu::noinline]] int open_socket(bool v6) noexcept {
  const int fd = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

[[gnu::noinline]] int connect_raw(int fd, const Address& address) noexcept {
  return ::connect(fd, address.raw(), static_cast<socklen_t>(address.raw_size())) == 0 ? 0 : errno;
}

// 0 when it is there, EINPROGRESS while it is not, or why it has failed.
[[gnu::noinline]] int connect_state(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  if (error != 0) return error;
  sockaddr_storage peer{};
  size = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) return 0;
  return errno == ENOTCONN ? EINPROGRESS : errno;
}

void set_no_delay(int fd) noexcept {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// 0 or the errno of the attempt; throws when the context ends.
int try_connect(const Address& address, TimePoint deadline, TcpStream& out) {
  if (internal::Network* network = internal::current_network(); network != nullptr) {
    const internal::Accepted connected = network->connect(address, deadline);
    if (connected.error == ECANCELED) rt::throw_interrupted();
    if (connected.error == 0) out = TcpStream(Socket(connected.endpoint));
    return connected.error;
  }
  const int fd = open_socket(address.is_v6());
  if (fd < 0) return -fd;
  Socket socket(fd);
  int error = connect_raw(fd, address);
  // The poller may tell of the time before the connect, when the socket was neither connected nor to be waited for.
  while (error == EINPROGRESS) {
    error = socket.wait(rt::Direction::kWrite, deadline);
    if (error == ECANCELED) rt::throw_interrupted();
    if (error == 0) error = connect_state(fd);
  }
  if (error != 0) return error;
  set_no_delay(fd);
  out = TcpStream(std::move(socket));
  return 0;
}

TimePoint context_deadline() noexcept {
  const rt::ContextBase* context = rt::current_context();
  return context != nullptr && context->node() != nullptr ? context->node()->deadline() : kNever;
}

[[gnu::noinline]] int bind_and_listen(int fd, const Address& address, const ListenOptions& options) noexcept {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (options.reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(fd, address.raw(), static_cast<socklen_t>(address.raw_size())) != 0 ||
      ::listen(fd, options.backlog) != 0)
    return errno;
  return 0;
}

// 0 or the errno of the attempt.
int listen_at(const Address& address, const ListenOptions& options, Socket& out) {
  if (internal::Network* network = internal::current_network(); network != nullptr) {
    const internal::Accepted listening = network->listen(address);
    if (listening.error == 0) out = Socket(listening.endpoint);
    return listening.error;
  }
  const int fd = open_socket(address.is_v6());
  if (fd < 0) return -fd;
  const int error = bind_and_listen(fd, address, options);
  if (error == 0) {
    out = Socket(fd);
  } else {
    ::close(fd);
  }
  return error;
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

bool is_option(int fd, int option, int wanted) noexcept {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

// resolve(), with the code that belongs to the caller's own failure.
std::vector<Address> resolve_for(std::string_view action, std::string_view host_port, const HostPort& target,
                                 Code code) {
  try {
    return resolve(target.host, target.port);
  } catch (const Cancelled&) {
    throw;
  } catch (const DeadlineExceeded&) {
    throw;
  } catch (const Error& error) {
    throw Error(code, fmt::format("cannot {} {}: {}", action, host_port, error.message()));
  }
}

std::vector<Address> listen_addresses(std::string_view host_port) {
  const HostPort target = parse_host_port(host_port);
  if (target.host.empty())
    return {*Address::from_ip("0.0.0.0", target.port), *Address::from_ip("::", target.port)};
  return resolve_for("listen on", host_port, target, Code::kInvalidArgument);
}

}  // namespace

TcpStream TcpStream::connect(std::string_view host_port, const ConnectOptions& options) {
  const std::vector<Address> addresses =
      resolve_for("connect to", host_port, parse_host_port(host_port), Code::kUnavailable);
  const TimePoint deadline = std::min(options.deadline, context_deadline());
  int error = EADDRNOTAVAIL;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (options.deadline != kNever && now() >= options.deadline) break;
    if (rt::interrupted()) rt::throw_interrupted();
    TcpStream stream;
    error = try_connect(addresses[i], internal::connect_share(now(), deadline, addresses.size() - i), stream);
    if (error == 0) return stream;
    if (rt::interrupted()) rt::throw_interrupted();
  }
  if (options.deadline != kNever && now() >= options.deadline) {
    throw DeadlineExceeded(fmt::format("cannot connect to {} in time", host_port));
  }
  throw Error(Code::kUnavailable, fmt::format("cannot connect to {}: {}", host_port, std::strerror(error)));
}

TcpListener TcpListener::listen(std::string_view host_port, const ListenOptions& options) {
  int error = EADDRNOTAVAIL;
  TcpListener listener;
  for (const Address& address : listen_addresses(host_port)) {
    error = listen_at(address, options, listener.socket_);
    if (error == 0) return listener;
  }
  throw Error(listen_error_code(error),
              fmt::format("cannot listen on {}: {}", host_port, std::strerror(error)));
}

TcpListener TcpListener::adopt(int fd) {
  const bool internet = is_option(fd, SO_DOMAIN, AF_INET) || is_option(fd, SO_DOMAIN, AF_INET6);
  if (!internet || !is_option(fd, SO_PROTOCOL, IPPROTO_TCP) || !is_option(fd, SO_ACCEPTCONN, 1)) {
    throw Error(Code::kInvalidArgument,
                fmt::format("descriptor {} is no socket that listens for TCP connections", fd));
  }
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
    throw Error(Code::kInvalidArgument,
                fmt::format("descriptor {} cannot be set up: {}", fd, std::strerror(errno)));
  }
  TcpListener listener;
  listener.socket_ = Socket(fd);
  listener.shared_ = true;
  return listener;
}

void TcpListener::stop_listening() noexcept {
  if (const int fd = socket_.fd(); fd >= 0) ::shutdown(fd, SHUT_RD);
}

TcpStream TcpListener::accept() {
  TcpStream stream(internal::accept_or_throw(socket_));
  set_no_delay(stream.fd());
  return stream;
}

uint16_t TcpListener::port() const {
  const std::string text = address();
  return text.empty() ? uint16_t{0} : Address::parse(text).port();
}

}  // namespace degu::net
