// A deadline of the object is looked at before each system call and before each wait. A waiter says so in Side::waiting
// before it reads the deadline, a setter writes the deadline before it looks for a waiter (both seq_cst): so either the
// waiter sees the new deadline, or the setter makes it look again by a spurious readiness.
#include <degu/base/error.h>
#include <degu/net/address.h>
#include <degu/net/internal/fd.h>
#include <degu/net/internal/network.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

namespace degu::net::internal {
namespace {

// System calls that return -errno: the address of errno must not live across a suspension of the caller.
//
// What is called for every request goes past glibc, whose calls are points where pthread_cancel() may end a thread:
// two locked instructions each, for what Degu's threads never meet. Sanitizers watch glibc's calls.
#if defined(DEGU_ASAN) || defined(DEGU_TSAN)
constexpr bool kPastGlibc = false;
#else
constexpr bool kPastGlibc = true;
#endif

[[gnu::noinline]] ssize_t recv_raw(int fd, std::span<char> into) noexcept {
  const ssize_t n = kPastGlibc ? ::syscall(SYS_recvfrom, fd, into.data(), into.size(), 0, nullptr, nullptr)
                               : ::recv(fd, into.data(), into.size(), 0);
  return n >= 0 ? n : -errno;
}

[[gnu::noinline]] ssize_t read_raw(int fd, std::span<char> into) noexcept {
  const ssize_t n = ::read(fd, into.data(), into.size());
  return n >= 0 ? n : -errno;
}

[[gnu::noinline]] ssize_t send_raw(int fd, const iovec& part) noexcept {
  const ssize_t n = kPastGlibc
                        ? ::syscall(SYS_sendto, fd, part.iov_base, part.iov_len, MSG_NOSIGNAL, nullptr, 0)
                        : ::send(fd, part.iov_base, part.iov_len, MSG_NOSIGNAL);
  return n >= 0 ? n : -errno;
}

[[gnu::noinline]] ssize_t sendmsg_raw(int fd, const iovec* parts, std::size_t count) noexcept {
  if (count == 1) return send_raw(fd, *parts);  // for which the kernel has less to do
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = count;
  const ssize_t n = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  return n >= 0 ? n : -errno;
}

// A pipe has no MSG_NOSIGNAL: see take_sigpipe().
[[gnu::noinline]] ssize_t writev_raw(int fd, const iovec* parts, std::size_t count) noexcept {
  const ssize_t n = ::writev(fd, parts, static_cast<int>(count));
  return n >= 0 ? n : -errno;
}

[[gnu::noinline]] ssize_t accept_raw(int fd) noexcept {
  const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return accepted >= 0 ? accepted : -errno;
}

// MSG_TRUNC: returns the whole length of the datagram.
[[gnu::noinline]] ssize_t recv_from_raw(int fd, std::span<char> into, sockaddr_storage& from,
                                        socklen_t& size) noexcept {
  size = sizeof from;
  const ssize_t n =
      ::recvfrom(fd, into.data(), into.size(), MSG_TRUNC, reinterpret_cast<sockaddr*>(&from), &size);
  return n >= 0 ? n : -errno;
}

[[gnu::noinline]] ssize_t send_to_raw(int fd, std::span<const char> bytes, const Address& to) noexcept {
  const ssize_t n = ::sendto(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL, to ? to.raw() : nullptr,
                             static_cast<socklen_t>(to.raw_size()));
  return n >= 0 ? n : -errno;
}

IoResult to_result(ssize_t n) noexcept {
  return n >= 0 ? IoResult{static_cast<std::size_t>(n), 0} : IoResult{0, static_cast<int>(-n)};
}

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

// So that writing into a broken pipe fails with EPIPE. Not SIG_IGN, which child processes would inherit.
void take_sigpipe() noexcept {
  struct sigaction action {};
  if (::sigaction(SIGPIPE, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) return;
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGPIPE, &action, nullptr);
}

std::string address_text(const sockaddr_storage& raw, socklen_t size) {
  const auto* base = reinterpret_cast<const sockaddr*>(&raw);
  if (raw.ss_family == AF_UNIX) {
    constexpr std::size_t kPathAt = offsetof(sockaddr_un, sun_path);
    if (size <= kPathAt) return {};
    const char* path = reinterpret_cast<const char*>(&raw) + kPathAt;
    if (*path == '\0') return "@" + std::string(path + 1, size - kPathAt - 1);
    return std::string(path, ::strnlen(path, size - kPathAt));
  }
  const std::optional<Address> address = Address::from_raw(base, size);
  return address ? to_string(*address) : std::string();
}

}  // namespace

Fd* Fd::make(int fd, FdKind kind, int* error) noexcept {
  Fd* made = nullptr;
  if (kind == FdKind::kFile) take_sigpipe();
  if (rt::PollDesc* desc = rt::poll_open(fd, error); desc != nullptr) {
    made = new (std::nothrow) Fd(fd, desc, kind);
    if (made == nullptr) {
      rt::poll_close(desc);
      *error = ENOMEM;
    }
  }
  if (made == nullptr) ::close(fd);
  return made;
}

Fd* Fd::open(int fd, FdKind kind) {
  int error = 0;
  Fd* opened = make(fd, kind, &error);
  if (opened == nullptr && current_network() != nullptr) {
    throw Error(
        Code::kFailedPrecondition,
        "a descriptor of the kernel in a simulation, which has a network of its own: let degu::net make the "
        "sockets and pipes");
  }
  if (opened == nullptr) {
    throw Error(Code::kResourceExhausted, fmt::format("cannot poll a descriptor: {}", std::strerror(error)));
  }
  return opened;
}

int Fd::enter(rt::Direction direction, TimePoint deadline) noexcept {
  const FdLock::Entry entry = lock_.lock(direction, deadline);
  if (entry.release) release_descriptor();
  return entry.error;
}

int Fd::wait_ready(rt::Direction direction, TimePoint deadline) noexcept {
  Side& own = side(direction);
  own.waiting.store(true, std::memory_order_seq_cst);
  const auto limit = [&] {
    const int64_t at = own.deadline_ns.load(std::memory_order_seq_cst);
    return std::min(deadline, at == INT64_MAX ? kNever : TimePoint(std::chrono::nanoseconds(at)));
  };
  int error = 0;
  switch (rt::poll_wait(desc_, direction, limit())) {
    case rt::PollResult::kReady:
      break;
    case rt::PollResult::kTimeout:
      error = now() >= limit() ? ETIMEDOUT : 0;  // it may have been moved meanwhile
      break;
    case rt::PollResult::kCancelled:
      error = ECANCELED;
      break;
    case rt::PollResult::kClosed:
      error = EBADF;
      break;
  }
  own.waiting.store(false, std::memory_order_relaxed);
  return error;
}

int Fd::wait(rt::Direction direction, TimePoint deadline) noexcept {
  const Turn turn(*this, direction, deadline);
  if (turn.error != 0) return turn.error;
  return expired(direction) ? ETIMEDOUT : wait_ready(direction, deadline);
}

bool Fd::call_when_readable(rt::PollCall& call) noexcept {
  if (!drained_ || !lock_.add_ref()) return false;
  drained_ = false;  // the edge that calls is the one that the next read would wait for
  side(rt::Direction::kRead).waiting.store(true, std::memory_order_seq_cst);
  const bool registered = !expired(rt::Direction::kRead) && rt::poll_call(desc_, rt::Direction::kRead, call);
  if (lock_.drop_ref()) release_descriptor();
  return registered;
}

IoResult Fd::read(std::span<char> into, TimePoint deadline) noexcept {
  const Turn turn(*this, rt::Direction::kRead, deadline);
  if (turn.error != 0) return {0, turn.error};
  if (kind_ == FdKind::kFile) {
    const auto call = [&](int fd) { return read_raw(fd, into); };
    return to_result(repeat(rt::Direction::kRead, deadline, call));
  }
  while (true) {
    if (expired(rt::Direction::kRead)) return {0, ETIMEDOUT};
    // After a short read the buffer of the kernel is empty, and new bytes make a new edge: asking would only
    // say EAGAIN.
    if (drained_) {
      if (const int error = wait_ready(rt::Direction::kRead, deadline); error != 0) return {0, error};
      drained_ = false;
      if (expired(rt::Direction::kRead)) return {0, ETIMEDOUT};
    }
    const ssize_t n = recv_raw(fd_, into);
    if (n >= 0) {
      // The end of the stream is not a new edge when it came together with the last bytes, so do not wait for
      // one.
      drained_ = n > 0 && static_cast<std::size_t>(n) < into.size() && !rt::poll_hangup(desc_);
      return {static_cast<std::size_t>(n), 0};
    }
    if (n == -EAGAIN) {
      drained_ = true;
    } else if (n != -EINTR) {
      return {0, static_cast<int>(-n)};
    }
  }
}

IoResult Fd::writev(std::span<const iovec> parts, TimePoint deadline) noexcept {
  const Turn turn(*this, rt::Direction::kWrite, deadline);
  if (turn.error != 0) return {0, turn.error};
  std::size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  std::size_t sent = 0;
  const auto send = [&](const iovec* first, std::size_t count) noexcept {
    return kind_ == FdKind::kSocket ? sendmsg_raw(fd_, first, count) : writev_raw(fd_, first, count);
  };
  const auto call = [&](int) {
    if (sent == 0 && parts.size() <= kMaxParts) return send(parts.data(), parts.size());
    const Remaining left = remaining(parts, sent);
    return send(left.parts.data(), left.count);
  };
  while (sent < total) {
    const ssize_t n = repeat(rt::Direction::kWrite, deadline, call);
    if (n < 0) return {sent, static_cast<int>(-n)};
    sent += static_cast<std::size_t>(n);
  }
  return {sent, 0};
}

Accepted Fd::accept(TimePoint deadline) noexcept {
  const auto call = [](int fd) {
    ssize_t accepted = 0;
    do {
      accepted = accept_raw(fd);
    } while (accepted == -ECONNABORTED || accepted == -EPROTO);  // that client has gone; the next one, please
    return accepted;
  };
  const ssize_t fd = transfer(rt::Direction::kRead, deadline, call);
  if (fd < 0) return {nullptr, static_cast<int>(-fd)};
  int error = 0;
  Fd* accepted = make(static_cast<int>(fd), FdKind::kSocket, &error);
  return {accepted, error};
}

IoResult Fd::recv_from(std::span<char> into, Address& from, TimePoint deadline) noexcept {
  sockaddr_storage raw{};
  socklen_t size = 0;
  const auto call = [&](int fd) { return recv_from_raw(fd, into, raw, size); };
  const IoResult result = to_result(transfer(rt::Direction::kRead, deadline, call));
  if (result.error == 0)
    from = Address::from_raw(reinterpret_cast<const sockaddr*>(&raw), size).value_or(Address());
  return result;
}

IoResult Fd::send_to(std::span<const char> bytes, const Address& to, TimePoint deadline) noexcept {
  const auto call = [&](int fd) { return send_to_raw(fd, bytes, to); };
  return to_result(transfer(rt::Direction::kWrite, deadline, call));
}

IoResult Endpoint::recv_from(std::span<char>, Address&, TimePoint) noexcept { return {0, EOPNOTSUPP}; }

IoResult Endpoint::send_to(std::span<const char>, const Address&, TimePoint) noexcept {
  return {0, EOPNOTSUPP};
}

void Fd::set_deadline(rt::Direction direction, TimePoint deadline) noexcept {
  if (!lock_.add_ref()) return;
  Side& own = side(direction);
  own.deadline_ns.store(deadline == kNever ? INT64_MAX : deadline.time_since_epoch().count(),
                        std::memory_order_seq_cst);
  if (own.waiting.load(std::memory_order_seq_cst)) rt::poll_nudge(desc_, direction);
  if (lock_.drop_ref()) release_descriptor();
}

void Fd::shutdown_write() noexcept {
  if (!lock_.add_ref()) return;
  ::shutdown(fd_, SHUT_WR);
  if (lock_.drop_ref()) release_descriptor();
}

void Fd::interrupt() noexcept {
  if (!lock_.add_ref()) return;
  rt::poll_shutdown(desc_);
  if (lock_.drop_ref()) release_descriptor();
}

void Fd::close() noexcept {
  if (!lock_.close()) return;
  if (!unlink_path_.empty()) ::unlink(unlink_path_.c_str());
  rt::poll_shutdown(desc_);
  if (lock_.drop_ref()) release_descriptor();
}

void Fd::release() noexcept {
  close();
  if (lock_.abandon()) delete this;
}

void Fd::release_descriptor() noexcept {
  rt::poll_close(desc_);
  ::close(fd_);
  if (lock_.released()) delete this;
}

std::string Fd::name(int (*ask)(int, sockaddr*, socklen_t*)) const {
  if (!lock_.add_ref()) return {};
  sockaddr_storage raw{};
  socklen_t size = sizeof raw;
  std::string text;
  if (ask(fd_, reinterpret_cast<sockaddr*>(&raw), &size) == 0) text = address_text(raw, size);
  if (lock_.drop_ref()) const_cast<Fd*>(this)->release_descriptor();
  return text;
}

std::string Fd::local_address() const { return name(&::getsockname); }

std::string Fd::peer_address() const { return name(&::getpeername); }

}  // namespace degu::net::internal
