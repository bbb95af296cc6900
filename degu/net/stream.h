// Stream: what all connections can do: TCP, Unix sockets, in-process pipes.
#pragma once

#include <degu/base/time.h>
#include <degu/net/bytes.h>
#include <degu/net/io_result.h>
#include <degu/net/socket.h>
#include <degu/rt/netpoll.h>

#include <span>
#include <string>
#include <utility>

namespace degu::net {

/// A connection of bytes in both directions. Movable while nobody is inside a call; all other calls may come from any
/// goroutine while it lives, close() and the deadlines too. Readers take turns, and so do writers. Every wait parks the
/// goroutine and ends with its context.
class Stream {
 public:
  Stream() noexcept = default;
  explicit Stream(Socket&& socket) noexcept : socket_(std::move(socket)) {}

  /// Waits for at least one byte and returns what is there, at most into.size(). Throws nothing: see
  /// IoResult.
  IoResult read(std::span<char> into, TimePoint deadline = kNever) noexcept {
    return socket_.read(into, deadline);
  }
  /// Instead of a goroutine that waits in read(): true, and `call` is used once, when bytes or the end of the stream have
  /// come, at interrupt() and at close(), and when the read deadline is set; perhaps before this returns; until then nobody
  /// else may read, and the stream has to live. What may be done in it: rt::poll_call(). False, and it is not used: there
  /// may be something to read, or the deadline has passed.
  bool call_when_readable(rt::PollCall& call) noexcept { return socket_.call_when_readable(call); }
  /// Sends all of it, or fails.
  IoResult write(Bytes bytes, TimePoint deadline = kNever) noexcept;
  /// Sends all parts in order with as few system calls as possible, or fails.
  IoResult writev(std::span<const iovec> parts, TimePoint deadline = kNever) noexcept {
    return socket_.writev(parts, deadline);
  }

  /// Go's SetDeadline, SetReadDeadline, SetWriteDeadline: from then on reads (writes) fail with ETIMEDOUT, waiting
  /// ones at once. kNever takes it back; a time in the past ends a waiting call now.
  void set_deadline(TimePoint deadline) noexcept {
    set_read_deadline(deadline);
    set_write_deadline(deadline);
  }
  void set_read_deadline(TimePoint deadline) noexcept {
    socket_.set_deadline(rt::Direction::kRead, deadline);
  }
  void set_write_deadline(TimePoint deadline) noexcept {
    socket_.set_deadline(rt::Direction::kWrite, deadline);
  }

  /// Sends FIN; reading goes on.
  void shutdown_write() noexcept { socket_.shutdown_write(); }
  /// Makes the current and all later waits fail with EBADF; the peer does not notice.
  void interrupt() noexcept { socket_.interrupt(); }
  /// Makes calls fail with EBADF, those that wait too; see Socket::close().
  void close() noexcept { socket_.close(); }

  /// "127.0.0.1:54321", or the path of a Unix socket; empty when unknown.
  std::string peer() const { return socket_.peer_address(); }
  std::string local() const { return socket_.local_address(); }
  int fd() const noexcept { return socket_.fd(); }
  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  /// The next read need not ask the kernel: TLS has unpacked more than was read. For the reader.
  bool has_buffered() const noexcept {
    return socket_.endpoint() != nullptr && socket_.endpoint()->has_buffered();
  }
  internal::Endpoint* endpoint() const noexcept { return socket_.endpoint(); }
  /// Lets go of the connection, for something that stands between; this one is as after close().
  Socket take_socket() && noexcept { return std::move(socket_); }

 protected:
  Socket socket_;
};

}  // namespace degu::net
