// UnixStream and UnixListener: stream sockets between processes of one machine.
#pragma once

#include <degu/base/time.h>
#include <degu/net/stream.h>
#include <degu/net/tcp.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace degu::net {

/// A connection through a Unix socket.
class UnixStream : public Stream {
 public:
  UnixStream() noexcept = default;
  explicit UnixStream(Socket&& socket) noexcept : Stream(std::move(socket)) {}

  /// Connects to a path, or to an abstract name that is written "@name". Throws Error: kNotFound, kPermissionDenied,
  /// kInvalidArgument for a name of more than 107 bytes, kUnavailable when nobody listens or the backlog is full.
  static UnixStream connect(std::string_view path);

  /// Two connected sockets, as socketpair(2).
  static std::pair<UnixStream, UnixStream> pair();

  /// Whom the kernel names as the peer's process at the time it connected.
  struct Peer {
    int pid = -1;
    uint32_t uid = 0;
    uint32_t gid = 0;
  };
  Peer peer_process() const noexcept;
};

struct UnixListenOptions {
  int backlog = 4096;
  uint32_t permissions = 0600;  ///< of the path; set before anybody can connect
  bool unlink_on_close = true;  ///< removes the path
  bool replace_stale = false;   ///< takes over a socket's path on which nobody listens any more
};

/// A listening Unix socket; its calls may come from any goroutine, as TcpListener's.
class UnixListener {
 public:
  UnixListener() noexcept = default;

  /// Listens on a path, or on an abstract name ("@name", which has no permissions). Throws Error: kAlreadyExists when
  /// the path is there, kNotFound without its folder, kPermissionDenied, kInvalidArgument.
  static UnixListener listen(std::string_view path, const UnixListenOptions& options = {});

  /// As TcpListener::accept().
  UnixStream accept();
  void set_deadline(TimePoint deadline) noexcept { socket_.set_deadline(rt::Direction::kRead, deadline); }
  void interrupt() noexcept { socket_.interrupt(); }
  /// Stops listening and removes the path.
  void close() noexcept { socket_.close(); }

  std::string address() const { return socket_.local_address(); }
  int fd() const noexcept { return socket_.fd(); }

 private:
  Socket socket_;
};

}  // namespace degu::net
