// All is guarded by the session's lock; the session wakes who waits here when bytes have come or gone, or nothing can follow.
#include <degu/base/error.h>
#include <degu/http/internal/http2_session.h>
#include <degu/http/internal/http2_stream.h>
#include <degu/http/internal/http2_tunnel.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <new>

namespace degu::http::internal {

Http2Tunnel::Http2Tunnel(Http2Stream& stream) noexcept : stream_(stream), session_(stream.session) {}

bool Http2Tunnel::gone() const noexcept { return stream_.closed || session_.broken_; }

// Until `ready()`; 0, or why it cannot be waited for any longer. A stream that is reset ends its context too: that it is
// gone counts first.
template <class Ready>
int Http2Tunnel::wait_for(Guard& guard, const TimePoint& limit, TimePoint deadline, Ready ready) noexcept {
  while (true) {
    if (stream_.cut) return EBADF;
    if (limit != kNever && now() >= limit) return ETIMEDOUT;
    if (ready() || gone()) return 0;
    const TimePoint seen = limit;
    const auto look_again = [&] { return stream_.cut || limit != seen || ready() || gone(); };
    try {
      if (!stream_.changed.wait_until(guard, std::min(deadline, seen), look_again) && now() >= deadline)
        return ETIMEDOUT;
    } catch (const Error&) {
      if (!gone()) return ECANCELED;
    }
  }
}

net::IoResult Http2Tunnel::read(std::span<char> into, TimePoint deadline) noexcept {
  Guard guard(session_.lock_);
  const auto ready = [this] { return !stream_.body.empty() || stream_.input_done; };
  if (const int error = wait_for(guard, read_limit_, deadline, ready); error != 0) return {0, error};
  if (stream_.body.empty()) return {0, stream_.input_done ? 0 : ECONNRESET};
  return {session_.take_body(stream_, into), 0};
}

net::IoResult Http2Tunnel::writev(std::span<const iovec> parts, TimePoint deadline) noexcept {
  Guard guard(session_.lock_);
  if (stream_.cut) return {0, EBADF};
  if (gone() || stream_.ended) return {0, EPIPE};
  std::size_t bytes = 0;
  try {
    for (const iovec& part : parts) {
      session_.add_piece(stream_, {static_cast<const char*>(part.iov_base), part.iov_len});
      bytes += part.iov_len;
    }
  } catch (const std::bad_alloc&) {
    return {bytes, ENOMEM};
  }
  session_.want_write();
  const int error =
      wait_for(guard, write_limit_, deadline, [this] { return !session_.has_much_pending(stream_); });
  if (error == 0 && gone()) return {bytes, EPIPE};
  return {bytes, error};
}

net::internal::Accepted Http2Tunnel::accept(TimePoint) noexcept { return {nullptr, EOPNOTSUPP}; }

int Http2Tunnel::wait(rt::Direction direction, TimePoint deadline) noexcept {
  return direction == rt::Direction::kRead ? read({}, deadline).error : 0;
}

void Http2Tunnel::set_deadline(rt::Direction direction, TimePoint deadline) noexcept {
  const Guard guard(session_.lock_);
  (direction == rt::Direction::kRead ? read_limit_ : write_limit_) = deadline;
  stream_.changed.broadcast();
}

void Http2Tunnel::shutdown_write() noexcept {
  const Guard guard(session_.lock_);
  if (!gone()) session_.end_pieces(stream_);
}

void Http2Tunnel::interrupt() noexcept {
  const Guard guard(session_.lock_);
  stream_.cut = true;
  stream_.changed.broadcast();
}

void Http2Tunnel::close() noexcept {
  closed_.store(true, std::memory_order_release);
  interrupt();
}

std::string Http2Tunnel::peer_address() const { return session_.peer(); }

}  // namespace degu::http::internal
