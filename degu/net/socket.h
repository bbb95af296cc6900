// IoResult and Socket: one non-blocking descriptor registered with the poller; the base of streams and
// listeners.
#pragma once

#include <degu/base/time.h>
#include <degu/rt/netpoll.h>

#include <cstddef>
#include <span>
#include <utility>

struct iovec;

namespace degu::net {

/// Outcome of a transfer: an expected event is a value. `error` is an errno: ETIMEDOUT for a deadline,
/// ECANCELED when the context ended, EBADF after close(). bytes == 0 and error == 0 on a read is the end of
/// the stream.
struct IoResult {
  std::size_t bytes = 0;
  int error = 0;
};

/// Owns a socket. Movable. One goroutine may read while another writes; close() and interrupt() may come from
/// any.
class Socket {
 public:
  Socket() noexcept = default;
  /// Takes over a non-blocking descriptor. Throws Error(kResourceExhausted) when the poller refuses it.
  explicit Socket(int fd);
  Socket(Socket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        desc_(std::exchange(other.desc_, nullptr)),
        drained_(other.drained_) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { close(); }

  int fd() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

  /// Waits for at least one byte. Observes the context.
  IoResult read(std::span<char> into, TimePoint deadline) noexcept;
  /// Writes everything or fails; `bytes` says how far it came. Observes the context.
  IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept;

  /// Waits until the socket may be ready; 0 or an errno.
  int wait(rt::Direction direction, TimePoint deadline) noexcept;

  /// Ends waits, now and later, with EBADF; the descriptor stays open. Thread-safe while the Socket lives.
  void interrupt() noexcept;
  void close() noexcept;

 private:
  int fd_ = -1;
  rt::PollDesc* desc_ = nullptr;
  bool drained_ = true;  // the last read took all there was: wait for an edge before the next
};

}  // namespace degu::net
