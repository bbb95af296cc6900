// TcpStream and TcpListener: TCP over goroutines. Every wait parks the goroutine and observes its context.
#pragma once

#include <degu/net/socket.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace degu::net {

/// A connection. Movable. One reader and one writer goroutine at a time; close() only when neither is inside
/// a call, interrupt() at any time.
class TcpStream {
 public:
  TcpStream() noexcept = default;
  /// Takes over a connected, non-blocking descriptor.
  explicit TcpStream(int fd) : socket_(fd) {}
  explicit TcpStream(Socket&& socket) noexcept : socket_(std::move(socket)) {}

  /// Connects to "host:port", "[v6]:port"; names are resolved on a blocking thread and tried in order. Throws
  /// Error(kUnavailable) with the reason, Cancelled, DeadlineExceeded. TCP_NODELAY is set.
  static TcpStream connect(std::string_view host_port);

  /// Waits for at least one byte and returns what is there, at most into.size(). Throws nothing: see
  /// IoResult.
  IoResult read(std::span<char> into, TimePoint deadline = kNever) noexcept {
    return socket_.read(into, deadline);
  }
  /// Sends all of it, or fails.
  IoResult write(std::span<const char> bytes, TimePoint deadline = kNever) noexcept;
  /// Sends all parts in order with as few system calls as possible, or fails.
  IoResult writev(std::span<const iovec> parts, TimePoint deadline = kNever) noexcept {
    return socket_.writev(parts, deadline);
  }

  /// Sends FIN; reading goes on.
  void shutdown_write() noexcept;
  /// Makes the current and all later waits fail with EBADF. From any goroutine while the stream lives.
  void interrupt() noexcept { socket_.interrupt(); }
  void close() noexcept { socket_.close(); }

  /// "127.0.0.1:54321"; empty when unknown.
  std::string peer() const;
  int fd() const noexcept { return socket_.fd(); }
  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }

 private:
  Socket socket_;
};

struct ListenOptions {
  int backlog = 4096;
  bool reuse_port = false;  ///< several listeners share the port; the kernel spreads connections
};

/// A listening socket. accept() from any number of goroutines in turn (one at a time); close() from any.
class TcpListener {
 public:
  TcpListener() noexcept = default;

  /// Binds and listens on "host:port"; an empty host is every address, port 0 is any free port. Throws Error:
  /// kAlreadyExists when the port is taken, kPermissionDenied, kInvalidArgument for a bad address.
  static TcpListener listen(std::string_view host_port, const ListenOptions& options = {});

  /// The next connection (TCP_NODELAY set). Throws Cancelled or DeadlineExceeded by the context,
  /// Error(kCancelled) after interrupt(), Error(kResourceExhausted) when the process has no descriptor left
  /// (the connection stays queued).
  TcpStream accept();

  /// Makes accept() throw Error(kCancelled), now and later. From any goroutine while the listener lives.
  void interrupt() noexcept { socket_.interrupt(); }
  /// Stops listening; not while another goroutine is inside accept() (interrupt() it first).
  void close() noexcept { socket_.close(); }

  /// "127.0.0.1:8080".
  std::string address() const;
  uint16_t port() const;
  int fd() const noexcept { return socket_.fd(); }

 private:
  Socket socket_;
};

}  // namespace degu::net
