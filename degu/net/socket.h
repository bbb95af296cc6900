// Socket: owns one endpoint of a connection, or a listening one; the base of streams and listeners.
#pragma once

#include <degu/base/time.h>
#include <degu/net/internal/endpoint.h>
#include <degu/net/io_result.h>
#include <degu/rt/netpoll.h>

#include <span>
#include <string>
#include <utility>

struct iovec;

namespace degu::net {

/// Movable while nobody is inside a call. Every other call may come from any goroutine as long as the Socket lives:
/// readers take turns, and so do writers. One allocation.
///
/// Deadlines are those of Go's net.Conn: they belong to the Socket, may be set by any goroutine, and reach a call that
/// waits at once. A call may bring a deadline of its own besides; the earlier one counts.
class Socket {
 public:
  Socket() noexcept = default;
  /// Takes over a non-blocking descriptor; closes it when it fails. Throws Error(kResourceExhausted) when the poller
  /// refuses it.
  explicit Socket(int fd);
  explicit Socket(internal::Endpoint* adopted) noexcept : end_(adopted) {}
  Socket(Socket&& other) noexcept : end_(std::exchange(other.end_, nullptr)) {}
  Socket& operator=(Socket&& other) noexcept;
  /// close(). Calls that are still inside end with EBADF.
  ~Socket();

  /// The kernel's number, -1 when closed. For questions about the socket; it must not be closed.
  int fd() const noexcept { return end_ != nullptr ? end_->fd() : -1; }
  /// Open: neither default-constructed nor closed.
  explicit operator bool() const noexcept { return end_ != nullptr && !end_->closed(); }

  /// Waits for at least one byte. Observes the context.
  IoResult read(std::span<char> into, TimePoint deadline) noexcept;
  /// Writes everything or fails; `bytes` says how far it came. Observes the context.
  IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept;
  /// Waits until the socket may be ready; 0 or an errno.
  int wait(rt::Direction direction, TimePoint deadline) noexcept;

  /// Stream::call_when_readable().
  bool call_when_readable(rt::PollCall& call) noexcept {
    return end_ != nullptr && end_->call_when_readable(call);
  }

  /// From `deadline` on transfers of this direction fail with ETIMEDOUT, also when they need not wait, and also one
  /// that waits already. A time in the past ends it at once. kNever: none.
  void set_deadline(rt::Direction direction, TimePoint deadline) noexcept;

  /// Sends the end of the stream; reading goes on.
  void shutdown_write() noexcept;
  /// Ends waits, now and later, with EBADF; the descriptor stays open.
  void interrupt() noexcept;
  /// Ends waits with EBADF, now and later. The descriptor is released when the last call has returned, so that its
  /// number is not used again while one is inside; close() does not wait for that. Closing twice is harmless.
  void close() noexcept;

  std::string local_address() const;
  std::string peer_address() const;
  internal::Endpoint* endpoint() const noexcept { return end_; }

 private:
  internal::Endpoint* end_ = nullptr;
};

}  // namespace degu::net
