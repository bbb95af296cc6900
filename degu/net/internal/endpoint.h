// Endpoint: what a Socket stands on. The descriptors of the kernel are Fd (fd.h).
#pragma once

#include <degu/base/time.h>
#include <degu/net/address.h>
#include <degu/net/io_result.h>
#include <degu/rt/netpoll.h>

#include <span>
#include <string>

struct iovec;

namespace degu::net::internal {

class Endpoint;

struct Accepted {
  Endpoint* endpoint = nullptr;  ///< owned by the caller; null with `error`
  int error = 0;                 ///< an errno, as in IoResult
};

/// Owned by one Socket. Every call but release() may come from any goroutine at any time; readers take turns, and so do
/// writers. Waits observe the current context.
class Endpoint {
 public:
  Endpoint() noexcept = default;
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// Waits for at least one byte; 0 bytes without an error: the end of the stream.
  virtual IoResult read(std::span<char> into, TimePoint deadline) noexcept = 0;
  /// Writes everything or fails.
  virtual IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept = 0;
  /// Of a listener: the next connection.
  virtual Accepted accept(TimePoint deadline) noexcept = 0;
  /// Of a datagram socket: the next datagram, and its whole length, which may be more than fits.
  virtual IoResult recv_from(std::span<char> into, Address& from, TimePoint deadline) noexcept;
  /// Of a datagram socket. `to` may be none when it is connected.
  virtual IoResult send_to(std::span<const char> bytes, const Address& to, TimePoint deadline) noexcept;
  /// Waits until a transfer may succeed; 0 or an errno.
  virtual int wait(rt::Direction direction, TimePoint deadline) noexcept = 0;

  /// Stream::call_when_readable(). In memory: never, the reader waits itself.
  virtual bool call_when_readable(rt::PollCall& call) noexcept {
    static_cast<void>(call);
    return false;
  }

  /// Bytes have come that are no longer where the kernel would show them. For the reader.
  virtual bool has_buffered() noexcept { return false; }

  /// Transfers of the direction fail with ETIMEDOUT from `deadline` on, one that waits now too. kNever: no deadline.
  virtual void set_deadline(rt::Direction direction, TimePoint deadline) noexcept = 0;
  /// Sends the end of the stream; reading goes on.
  virtual void shutdown_write() noexcept = 0;
  /// Ends waits, now and later, with EBADF.
  virtual void interrupt() noexcept = 0;
  /// Ends waits with EBADF and releases the descriptor when the last call has returned. Does not wait for that.
  virtual void close() noexcept = 0;
  /// The owner's last call, close() included.
  virtual void release() noexcept = 0;

  /// The kernel's number; -1 when closed or without one.
  virtual int fd() const noexcept = 0;
  virtual bool closed() const noexcept = 0;
  /// "127.0.0.1:54321", "[::1]:80", the path of a Unix socket ("@name" for an abstract one); empty when unknown.
  virtual std::string local_address() const = 0;
  virtual std::string peer_address() const = 0;

 protected:
  virtual ~Endpoint() = default;
};

}  // namespace degu::net::internal
