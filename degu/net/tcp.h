// TcpStream and TcpListener: TCP over goroutines. Every wait parks the goroutine and observes its context.
#pragma once

#include <degu/base/time.h>
#include <degu/net/stream.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace degu::net {

struct ConnectOptions {
  TimePoint deadline = kNever;  ///< the context's counts besides
};

/// A TCP connection.
///
///   auto stream = degu::net::TcpStream::connect("localhost:7");
///   stream.write("hello");
class TcpStream : public Stream {
 public:
  TcpStream() noexcept = default;
  /// Takes over a connected, non-blocking descriptor.
  explicit TcpStream(int fd) : Stream(Socket(fd)) {}
  explicit TcpStream(Socket&& socket) noexcept : Stream(std::move(socket)) {}

  /// Connects to "host:port", "[v6]:port". The addresses of a name (see resolve()) are tried in order; with a deadline
  /// each gets its share of what is left, at least 2 s as in Go. Throws Error(kUnavailable) with the reason, Cancelled,
  /// DeadlineExceeded. TCP_NODELAY is set.
  static TcpStream connect(std::string_view host_port, const ConnectOptions& options = {});
};

struct ListenOptions {
  int backlog = 4096;
  bool reuse_port = false;  ///< several listeners share the port; the kernel spreads connections
};

/// A listening socket. All calls may come from any goroutine while it lives; those in accept() take turns.
class TcpListener {
 public:
  TcpListener() noexcept = default;

  /// Binds and listens on "host:port"; an empty host is every address, port 0 is any free port. Throws Error:
  /// kAlreadyExists when the port is taken, kPermissionDenied, kInvalidArgument for a bad address.
  static TcpListener listen(std::string_view host_port, const ListenOptions& options = {});

  /// Takes over a descriptor that listens for TCP connections, as another process has handed it over (see
  /// inherited_descriptors()); others may have the same socket. Makes it non-blocking, for all of them, and not inherited.
  /// Throws Error(kInvalidArgument) for anything else, and leaves that alone.
  static TcpListener adopt(int fd);

  /// The next connection (TCP_NODELAY set). Throws Cancelled or DeadlineExceeded by the context, DeadlineExceeded by
  /// set_deadline(), Error(kCancelled) after interrupt() and close(), Error(kResourceExhausted) when the process has no
  /// descriptor left (the connection stays queued).
  TcpStream accept();

  /// From then on accept() throws DeadlineExceeded, also one that waits. kNever: no deadline.
  void set_deadline(TimePoint deadline) noexcept { socket_.set_deadline(rt::Direction::kRead, deadline); }

  /// Makes accept() throw Error(kCancelled), now and later, as soon as no connection is queued.
  void interrupt() noexcept { socket_.interrupt(); }
  /// From then on connections are refused, and queued ones reset, in all processes that have the socket. address() stays.
  void stop_listening() noexcept;
  /// Stops listening, but for other processes; accept() throws Error(kCancelled).
  void close() noexcept { socket_.close(); }
  /// Other processes may accept connections of the same socket: adopt().
  bool shared() const noexcept { return shared_; }

  /// "127.0.0.1:8080".
  std::string address() const { return socket_.local_address(); }
  uint16_t port() const;
  int fd() const noexcept { return socket_.fd(); }

 private:
  Socket socket_;
  bool shared_ = false;
};

}  // namespace degu::net
