#include <degu/base/error.h>
#include <degu/net/socket.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace degu::net {
namespace {

// System calls that return -errno: the address of errno must not live across a suspension of the caller.
[[gnu::noinline]] ssize_t recv_raw(int fd, std::span<char> into) noexcept {
  const ssize_t n = ::recv(fd, into.data(), into.size(), 0);
  return n >= 0 ? n : -errno;
}

[[gnu::noinline]] ssize_t sendmsg_raw(int fd, const iovec* parts, std::size_t count) noexcept {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = count;
  const ssize_t n = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  return n >= 0 ? n : -errno;
}

constexpr bool would_block(ssize_t result) noexcept { return result == -EAGAIN || result == -EWOULDBLOCK; }

constexpr std::size_t kMaxParts = 64;

// The parts not yet sent, for one call of at most kMaxParts.
struct Remaining {
  std::array<iovec, kMaxParts> parts;
  std::size_t count = 0;
};

Remaining remaining(std::span<const iovec> all, std::size_t sent) noexcept {
  Remaining left;
  for (const iovec& part : all) {
    if (sent >= part.iov_len) {
      sent -= part.iov_len;
      continue;
    }
    left.parts[left.count++] = {static_cast<char*>(part.iov_base) + sent, part.iov_len - sent};
    sent = 0;
    if (left.count == kMaxParts) break;
  }
  return left;
}

}  // namespace

Socket::Socket(int fd) : fd_(fd) {
  int error = 0;
  desc_ = rt::poll_open(fd, &error);
  if (desc_ == nullptr) {
    ::close(std::exchange(fd_, -1));
    throw Error(Code::kResourceExhausted, fmt::format("cannot poll a socket: {}", std::strerror(error)));
  }
}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    desc_ = std::exchange(other.desc_, nullptr);
    drained_ = other.drained_;
  }
  return *this;
}

int Socket::wait(rt::Direction direction, TimePoint deadline) noexcept {
  if (desc_ == nullptr) return EBADF;
  switch (rt::poll_wait(desc_, direction, deadline)) {
    case rt::PollResult::kReady:
      return 0;
    case rt::PollResult::kTimeout:
      return ETIMEDOUT;
    case rt::PollResult::kCancelled:
      return ECANCELED;
    case rt::PollResult::kClosed:
      return EBADF;
  }
  return EBADF;
}

IoResult Socket::read(std::span<char> into, TimePoint deadline) noexcept {
  if (fd_ < 0) return {0, EBADF};
  while (true) {
    // After a short read the buffer of the kernel is empty, and new bytes make a new edge: asking would only
    // say EAGAIN.
    if (drained_) {
      if (const int error = wait(rt::Direction::kRead, deadline); error != 0) return {0, error};
      drained_ = false;
    }
    const ssize_t n = recv_raw(fd_, into);
    if (n >= 0) {
      // The end of the stream is not a new edge when it came together with the last bytes, so do not wait for
      // one.
      drained_ = n > 0 && static_cast<std::size_t>(n) < into.size() && !rt::poll_hangup(desc_);
      return {static_cast<std::size_t>(n), 0};
    }
    if (would_block(n)) {
      drained_ = true;
    } else if (n != -EINTR) {
      return {0, static_cast<int>(-n)};
    }
  }
}

IoResult Socket::writev(std::span<const iovec> parts, TimePoint deadline) noexcept {
  std::size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  std::size_t sent = 0;
  while (sent < total) {
    if (fd_ < 0) return {sent, EBADF};
    ssize_t n = 0;
    if (sent == 0 && parts.size() <= kMaxParts) {
      n = sendmsg_raw(fd_, parts.data(), parts.size());
    } else {
      const Remaining left = remaining(parts, sent);
      n = sendmsg_raw(fd_, left.parts.data(), left.count);
    }
    if (n >= 0) {
      sent += static_cast<std::size_t>(n);
    } else if (would_block(n)) {
      if (const int error = wait(rt::Direction::kWrite, deadline); error != 0) return {sent, error};
    } else if (n != -EINTR) {
      return {sent, static_cast<int>(-n)};
    }
  }
  return {sent, 0};
}

void Socket::interrupt() noexcept {
  if (desc_ != nullptr) rt::poll_shutdown(desc_);
}

void Socket::close() noexcept {
  if (fd_ < 0) return;
  rt::poll_close(std::exchange(desc_, nullptr));
  ::close(std::exchange(fd_, -1));
}

}  // namespace degu::net
