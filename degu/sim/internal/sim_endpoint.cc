// Bytes are written with the time at which they arrive. The reader waits until then itself, so the network needs no
// goroutines and no timers of its own. While the two hosts are parted nothing arrives: readers wait for the heal.
#include <degu/rt/sim_point.h>
#include <degu/sim/internal/sim_endpoint.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace degu::sim::internal {

using net::IoResult;
using net::internal::Accepted;
using rt::Direction;

// --- SimEndpoint

int SimEndpoint::state(Direction direction, TimePoint deadline) const noexcept {
  if (closed_ || interrupted_) return EBADF;
  return now() >= until(direction, deadline) ? ETIMEDOUT : 0;
}

TimePoint SimEndpoint::until(Direction direction, TimePoint deadline) const noexcept {
  return std::min(deadline, deadlines_[static_cast<std::size_t>(direction)]);
}

void SimEndpoint::set_deadline(Direction direction, TimePoint deadline) noexcept {
  deadlines_[static_cast<std::size_t>(direction)] = deadline;
  wake();
}

void SimEndpoint::interrupt() noexcept {
  interrupted_ = true;
  wake();
}

void SimEndpoint::close() noexcept {
  if (closed_) return;
  closed_ = true;
  on_close();
  wake();
}

void SimEndpoint::release() noexcept {
  close();
  released_ = true;
  if (inside_ == 0) delete this;
}

// --- SimStream

// What is written now arrives then: never before what was written earlier.
TimePoint SimStream::arrival() noexcept {
  Pipe& out = outgoing();
  out.last_arrival = std::max(out.last_arrival, now() + network_.latency());
  return out.last_arrival;
}

int SimStream::wait_readable(TimePoint deadline) noexcept {
  Pipe& in = incoming();
  for (;;) {
    if (const int error = state(Direction::kRead, deadline); error != 0) return error;
    if (link_->broken) return ECONNRESET;
    TimePoint wake_at = until(Direction::kRead, deadline);
    if (joined() && (!in.chunks.empty() || in.ended)) {
      const TimePoint next = in.chunks.empty() ? in.end_arrives : in.chunks.front().arrives;
      if (next <= now()) return 0;
      wake_at = std::min(wake_at, next);
    }
    if (in.reader.wait(rt::WaitReason::kIoRead, wake_at) == ECANCELED) return ECANCELED;
  }
}

int SimStream::wait_writable(TimePoint deadline) noexcept {
  Pipe& out = outgoing();
  for (;;) {
    if (const int error = state(Direction::kWrite, deadline); error != 0) return error;
    if (link_->broken) return ECONNRESET;
    if (out.ended || out.deserted) return EPIPE;
    if (out.under_way < out.capacity) return 0;
    if (out.writer.wait(rt::WaitReason::kIoWrite, until(Direction::kWrite, deadline)) == ECANCELED)
      return ECANCELED;
  }
}

bool SimStream::breaks(std::string_view fault_point) noexcept {
  if (link_->kind == LinkKind::kPipe || !network_.fault(fault_point)) return false;
  link_->break_off();
  return true;
}

IoResult SimStream::read(std::span<char> into, TimePoint deadline) noexcept {
  const Inside inside(*this);
  rt::sim_point();
  if (!may_read()) return {0, EBADF};
  if (into.empty()) return {0, 0};
  if (breaks("net.read")) return {0, ECONNRESET};
  if (const int error = wait_readable(deadline); error != 0) return {0, error};
  Pipe& in = incoming();
  std::size_t size = 0;
  while (size < into.size() && !in.chunks.empty() && in.chunks.front().arrives <= now()) {
    Chunk& chunk = in.chunks.front();
    std::size_t part = std::min(into.size() - size, chunk.bytes.size());
    const bool cut = part > 1 && network_.happens(network_.options().short_read);
    if (cut) part = 1 + network_.random().below(static_cast<uint32_t>(part - 1));
    std::memcpy(into.data() + size, chunk.bytes.data(), part);
    chunk.bytes.erase(0, part);
    if (chunk.bytes.empty()) in.chunks.pop_front();
    size += part;
    if (cut) break;
  }
  in.under_way -= size;
  if (size > 0) in.writer.wake_all();
  network_.log(link_->id * 8 + side_ * 4, size);
  return {size, 0};
}

IoResult SimStream::writev(std::span<const iovec> parts, TimePoint deadline) noexcept {
  const Inside inside(*this);
  rt::sim_point();
  if (!may_write()) return {0, EBADF};
  std::string bytes;
  for (const iovec& part : parts) bytes.append(static_cast<const char*>(part.iov_base), part.iov_len);
  network_.log(link_->id * 8 + side_ * 4 + 1, bytes.size());
  if (!bytes.empty() && breaks("net.write")) return {0, ECONNRESET};
  const bool tcp = link_->kind == LinkKind::kTcp;
  if (tcp && !bytes.empty() && !link_->broken && network_.happens(network_.options().reset)) {
    link_->break_off();
    // The kernel has taken it, and the connection breaks before it is there; or the break is known already.
    if (network_.happens(0.5)) return {bytes.size(), 0};
  }
  // The first bytes for somebody who has gone are sent; they are answered by a reset.
  if (Pipe& out = outgoing(); tcp && out.deserted && !out.told && !link_->broken && !bytes.empty()) {
    if (const int error = state(Direction::kWrite, deadline); error != 0) return {0, error};
    out.told = true;
    return {bytes.size(), 0};
  }
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    if (const int error = wait_writable(deadline); error != 0) return {sent, error};
    Pipe& out = outgoing();
    const std::size_t size = std::min(bytes.size() - sent, out.capacity - out.under_way);
    out.chunks.push_back({arrival(), bytes.substr(sent, size)});
    out.under_way += size;
    sent += size;
    out.reader.wake_all();
  }
  if (bytes.empty()) return {0, state(Direction::kWrite, deadline)};
  return {sent, 0};
}

Accepted SimStream::accept(TimePoint) noexcept { return {nullptr, EINVAL}; }

int SimStream::wait(Direction direction, TimePoint deadline) noexcept {
  const Inside inside(*this);
  rt::sim_point();
  const int error = direction == Direction::kRead ? wait_readable(deadline) : wait_writable(deadline);
  return error == ECONNRESET || error == EPIPE ? 0 : error;  // the transfer says it
}

void SimStream::shutdown_write() noexcept {
  rt::sim_point();
  Pipe& out = outgoing();
  if (out.ended || link_->kind == LinkKind::kPipe) return;
  out.end_arrives = arrival();
  out.ended = true;
  network_.log(link_->id * 8 + side_ * 4 + 2, 0);
  out.reader.wake_all();
}

void SimStream::on_close() noexcept {
  Pipe& in = incoming();
  Pipe& out = outgoing();
  in.deserted = true;
  // Unread bytes: the peer gets a reset, as from the kernel.
  if (link_->kind != LinkKind::kPipe && !in.chunks.empty()) {
    link_->break_off();
  } else if (!out.ended) {
    out.end_arrives = arrival();
    out.ended = true;
  }
  network_.log(link_->id * 8 + side_ * 4 + 3, 0);
}

// --- SimListener

IoResult SimListener::read(std::span<char>, TimePoint) noexcept { return {0, ENOTCONN}; }
IoResult SimListener::writev(std::span<const iovec>, TimePoint) noexcept { return {0, ENOTCONN}; }

int SimListener::wait(Direction direction, TimePoint deadline) noexcept {
  const Inside inside(*this);
  rt::sim_point();
  for (;;) {
    if (const int error = state(direction, deadline); error != 0) return error;
    if (!arrivals_.empty()) return 0;
    if (acceptors_.wait(rt::WaitReason::kIoRead, until(direction, deadline)) == ECANCELED) return ECANCELED;
  }
}

Accepted SimListener::accept(TimePoint deadline) noexcept {
  const Inside inside(*this);
  if (const int error = wait(Direction::kRead, deadline); error != 0) return {nullptr, error};
  if (network_.fault("net.accept")) return {nullptr, EMFILE};
  Arrival arrival = std::move(arrivals_.front());
  arrivals_.pop_front();
  return {new SimStream(network_, std::move(arrival.link), 1, local_, std::move(arrival.from)), 0};
}

void SimListener::arrived(std::shared_ptr<Link> link, std::string from) {
  arrivals_.push_back({std::move(link), std::move(from)});
  acceptors_.wake_all();
}

void SimListener::on_close() noexcept {
  for (Arrival& arrival : arrivals_) arrival.link->break_off();
  arrivals_.clear();
  network_.closed(*this);
}

}  // namespace degu::sim::internal
