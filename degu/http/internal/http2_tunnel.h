// Http2Tunnel: a stream of HTTP/2 as a connection, once an extended CONNECT was accepted (RFC 8441).
#pragma once

#include <degu/base/time.h>
#include <degu/net/internal/endpoint.h>
#include <degu/sync/mutex.h>

#include <atomic>
#include <mutex>
#include <span>
#include <string>

namespace degu::http::internal {

class Http2Session;
class Http2Stream;

/// What comes is read at the pace of its reader: the client's window grows by what was read. A write waits while much of what
/// was written before has found no room in the client's window. Lives no longer than the stream's handler runs.
class Http2Tunnel final : public net::internal::Endpoint {
 public:
  explicit Http2Tunnel(Http2Stream& stream) noexcept;

  net::IoResult read(std::span<char> into, TimePoint deadline) noexcept override;
  net::IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept override;
  net::internal::Accepted accept(TimePoint deadline) noexcept override;
  int wait(rt::Direction direction, TimePoint deadline) noexcept override;
  void set_deadline(rt::Direction direction, TimePoint deadline) noexcept override;
  void shutdown_write() noexcept override;
  /// The stream ends by RST_STREAM when its handler has returned, as a connection that is cut.
  void interrupt() noexcept override;
  void close() noexcept override;
  void release() noexcept override { delete this; }
  int fd() const noexcept override { return -1; }
  bool closed() const noexcept override { return closed_.load(std::memory_order_acquire); }
  std::string local_address() const override { return {}; }
  std::string peer_address() const override;

 private:
  using Guard = std::unique_lock<Mutex>;

  bool gone() const noexcept;
  template <class Ready>
  int wait_for(Guard& guard, const TimePoint& limit, TimePoint deadline, Ready ready) noexcept;

  Http2Stream& stream_;
  Http2Session& session_;
  TimePoint read_limit_ = kNever;  // these are guarded by the session's lock
  TimePoint write_limit_ = kNever;
  std::atomic<bool> closed_{false};
};

}  // namespace degu::http::internal
