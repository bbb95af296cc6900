#include <degu/base/error.h>
#include <degu/net/internal/accept.h>
#include <degu/net/internal/errno_error.h>
#include <degu/net/internal/fd.h>
#include <degu/net/internal/network.h>
#include <degu/net/unix.h>
#include <degu/rt/park.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

namespace degu::net {
namespace {

struct Name {
  sockaddr_un raw{};
  socklen_t size = 0;
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&raw); }
  bool abstract() const noexcept { return raw.sun_path[0] == '\0'; }
};

Name name_of(std::string_view path) {
  Name name;
  if (path.size() < 2 || path.size() >= sizeof name.raw.sun_path ||
      path.find('\0') != std::string_view::npos) {
    throw Error(Code::kInvalidArgument,
                fmt::format("\"{}\" cannot be a Unix socket: write a path or @name of at most {} bytes", path,
                            sizeof name.raw.sun_path - 1));
  }
  name.raw.sun_family = AF_UNIX;
  path.copy(name.raw.sun_path, path.size());
  if (path.front() == '@') name.raw.sun_path[0] = '\0';
  // An abstract name ends with its length, a path with a zero.
  name.size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path.front() == '@' ? 0 : 1));
  return name;
}

[[gnu::noinline]] int open_socket() noexcept {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

[[gnu::noinline]] int connect_raw(int fd, const Name& name) noexcept {
  return ::connect(fd, name.get(), name.size) == 0 ? 0 : errno;
}

[[gnu::noinline]] int bind_raw(int fd, const Name& name) noexcept {
  return ::bind(fd, name.get(), name.size) == 0 ? 0 : errno;
}

// A socket that nobody listens on any more refuses.
bool is_stale(const Name& name) noexcept {
  struct stat info {};
  if (::lstat(name.raw.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const int fd = open_socket();
  if (fd < 0) return false;
  const bool refused = connect_raw(fd, name) == ECONNREFUSED;
  ::close(fd);
  return refused;
}

// Nobody can connect before listen(2), so the permissions are there in time.
[[gnu::noinline]] int bind_and_listen(int fd, const Name& name, const UnixListenOptions& options) noexcept {
  int error = bind_raw(fd, name);
  if (error == EADDRINUSE && options.replace_stale && !name.abstract() && is_stale(name)) {
    ::unlink(name.raw.sun_path);
    error = bind_raw(fd, name);
  }
  if (error != 0) return error;
  if (!name.abstract() && ::chmod(name.raw.sun_path, static_cast<mode_t>(options.permissions)) != 0)
    return errno;
  return ::listen(fd, options.backlog) == 0 ? 0 : errno;
}

Error cannot_connect(int error, std::string_view path) {
  return internal::errno_error(error, fmt::format("cannot connect to {}", path));
}

Error cannot_listen(int error, std::string_view path) {
  return internal::errno_error(error, fmt::format("cannot listen on {}", path));
}

}  // namespace

UnixStream UnixStream::connect(std::string_view path) {
  const Name name = name_of(path);
  if (internal::Network* network = internal::current_network(); network != nullptr) {
    const internal::Accepted connected = network->connect_local(std::string(path));
    if (connected.error == ECANCELED) rt::throw_interrupted();
    if (connected.error != 0) throw cannot_connect(connected.error, path);
    return UnixStream(Socket(connected.endpoint));
  }
  const int fd = open_socket();
  if (fd < 0) throw internal::errno_error(-fd, "cannot open a Unix socket");
  Socket socket(fd);
  int error = connect_raw(fd, name);
  if (error == EINPROGRESS) {
    error = socket.wait(rt::Direction::kWrite, kNever);
    if (error == ECANCELED) rt::throw_interrupted();
  }
  if (error != 0) throw cannot_connect(error, path);
  return UnixStream(std::move(socket));
}

std::pair<UnixStream, UnixStream> UnixStream::pair() {
  if (internal::Network* network = internal::current_network(); network != nullptr) {
    auto [first, second] = network->local_pair();
    return {UnixStream(Socket(first)), UnixStream(Socket(second))};
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
    throw internal::errno_error(errno, "cannot make a pair of sockets");
  Socket first;
  try {
    first = Socket(ends[0]);
  } catch (...) {
    ::close(ends[1]);
    throw;
  }
  return {UnixStream(std::move(first)), UnixStream(Socket(ends[1]))};
}

UnixStream::Peer UnixStream::peer_process() const noexcept {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  return {credentials.pid, credentials.uid, credentials.gid};
}

UnixListener UnixListener::listen(std::string_view path, const UnixListenOptions& options) {
  const Name name = name_of(path);
  UnixListener listener;
  if (internal::Network* network = internal::current_network(); network != nullptr) {
    const internal::Accepted listening =
        network->listen_local(std::string(path), options.replace_stale, !options.unlink_on_close);
    if (listening.error != 0) throw cannot_listen(listening.error, path);
    listener.socket_ = Socket(listening.endpoint);
    return listener;
  }
  const int fd = open_socket();
  if (fd < 0) throw internal::errno_error(-fd, "cannot open a Unix socket");
  if (const int error = bind_and_listen(fd, name, options); error != 0) {
    ::close(fd);
    throw cannot_listen(error, path);
  }
  internal::Fd* endpoint = internal::Fd::open(fd, internal::FdKind::kSocket);
  listener.socket_ = Socket(endpoint);
  if (options.unlink_on_close && !name.abstract()) endpoint->unlink_on_close(std::string(path));
  return listener;
}

UnixStream UnixListener::accept() { return UnixStream(internal::accept_or_throw(socket_)); }

}  // namespace degu::net
