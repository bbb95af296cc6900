// UdpSocket: datagrams.
#pragma once

#include <degu/base/time.h>
#include <degu/net/address.h>
#include <degu/net/bytes.h>
#include <degu/net/socket.h>

#include <span>
#include <string>
#include <string_view>

namespace degu::net {

/// Sends and receives datagrams. All calls may come from any goroutine while it lives; receivers take turns, and so do
/// senders. Every wait parks the goroutine and ends with its context. A datagram of no bytes is a datagram.
class UdpSocket {
 public:
  UdpSocket() noexcept = default;

  /// Receives on "host:port"; an empty host is every IPv4 address, port 0 any free one. Throws Error: kAlreadyExists,
  /// kPermissionDenied, kInvalidArgument.
  static UdpSocket bind(std::string_view host_port);
  /// Talks with one address only, the first of the name's. No packet is sent. Throws Error(kUnavailable).
  static UdpSocket connect(std::string_view host_port);

  struct Received {
    IoResult result;  ///< bytes: what was copied
    Address from;
    bool truncated = false;  ///< the datagram was longer than the buffer; the rest is lost
  };
  /// The next datagram and who sent it.
  Received recv_from(std::span<char> into, TimePoint deadline = kNever) noexcept;
  /// Sends one datagram. Of a connected socket `to` must be none: EISCONN.
  IoResult send_to(Bytes bytes, const Address& to, TimePoint deadline = kNever) noexcept;

  /// Of a connected socket. ECONNREFUSED: nobody received an earlier datagram.
  IoResult recv(std::span<char> into, TimePoint deadline = kNever) noexcept {
    return recv_from(into, deadline).result;
  }
  IoResult send(Bytes bytes, TimePoint deadline = kNever) noexcept {
    return send_to(bytes, Address(), deadline);
  }

  /// As Stream's.
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
  void interrupt() noexcept { socket_.interrupt(); }
  void close() noexcept { socket_.close(); }

  Address local() const;
  Address peer() const;
  int fd() const noexcept { return socket_.fd(); }
  explicit operator bool() const noexcept { return static_cast<bool>(socket_); }

 private:
  Socket socket_;
};

}  // namespace degu::net
