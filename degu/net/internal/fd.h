// Fd: a non-blocking descriptor of the kernel, registered with the poller, with deadlines that can be moved.
#pragma once

#include <degu/base/time.h>
#include <degu/net/internal/endpoint.h>
#include <degu/net/internal/fd_lock.h>
#include <degu/rt/netpoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace degu::net::internal {

enum class FdKind : bool { kSocket, kFile };

/// An Endpoint over a descriptor: socket, pipe, or anything else that epoll takes.
class Fd final : public Endpoint {
 public:
  /// Takes over `fd`, which is non-blocking; closes it when it fails. Throws Error(kResourceExhausted) when the poller
  /// refuses it.
  static Fd* open(int fd, FdKind kind);

  IoResult read(std::span<char> into, TimePoint deadline) noexcept override;
  IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept override;
  Accepted accept(TimePoint deadline) noexcept override;
  IoResult recv_from(std::span<char> into, Address& from, TimePoint deadline) noexcept override;
  IoResult send_to(std::span<const char> bytes, const Address& to, TimePoint deadline) noexcept override;
  int wait(rt::Direction direction, TimePoint deadline) noexcept override;
  bool call_when_readable(rt::PollCall& call) noexcept override;
  void set_deadline(rt::Direction direction, TimePoint deadline) noexcept override;
  void shutdown_write() noexcept override;
  void interrupt() noexcept override;
  void close() noexcept override;
  void release() noexcept override;
  int fd() const noexcept override { return lock_.closed() ? -1 : fd_; }
  bool closed() const noexcept override { return lock_.closed(); }
  std::string local_address() const override;
  std::string peer_address() const override;

  /// close() removes `path`. Before others know of this.
  void unlink_on_close(std::string path) noexcept { unlink_path_ = std::move(path); }

  /// Repeats `call(fd)`, which returns what the system call returns or -errno, until it need not wait. The result, or
  /// -errno as in IoResult. For system calls that the above does not have.
  template <class Call>
  ssize_t transfer(rt::Direction direction, TimePoint deadline, Call call) noexcept {
    const Turn turn(*this, direction, deadline);
    return turn.error != 0 ? -turn.error : repeat(direction, deadline, call);
  }

 private:
  struct Side {
    std::atomic<int64_t> deadline_ns{INT64_MAX};  // since the epoch of TimePoint
    std::atomic<bool> waiting{false};
  };
  // One direction, locked for a scope.
  struct Turn {
    Turn(Fd& owner, rt::Direction which, TimePoint deadline) noexcept
        : fd(owner), direction(which), error(owner.enter(which, deadline)) {}
    ~Turn() {
      if (error == 0 && fd.lock_.unlock(direction)) fd.release_descriptor();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Fd& fd;
    rt::Direction direction;
    int error;
  };

  Fd(int fd, rt::PollDesc* desc, FdKind kind) noexcept : fd_(fd), kind_(kind), desc_(desc) {}
  ~Fd() override = default;

  static Fd* make(int fd, FdKind kind, int* error) noexcept;
  std::string name(int (*ask)(int, sockaddr*, socklen_t*)) const;
  int enter(rt::Direction direction, TimePoint deadline) noexcept;
  int wait_ready(rt::Direction direction, TimePoint deadline) noexcept;
  void release_descriptor() noexcept;
  Side& side(rt::Direction direction) noexcept { return sides_[static_cast<std::size_t>(direction)]; }
  /// Has the deadline of the object passed? One relaxed load without one.
  bool expired(rt::Direction direction) noexcept {
    const int64_t at = side(direction).deadline_ns.load(std::memory_order_relaxed);
    return at != INT64_MAX && at <= now().time_since_epoch().count();
  }

  template <class Call>
  ssize_t repeat(rt::Direction direction, TimePoint deadline, Call& call) noexcept {
    while (true) {
      if (expired(direction)) return -ETIMEDOUT;
      const ssize_t n = call(fd_);
      if (n >= 0) return n;
      if (n == -EAGAIN) {
        if (const int error = wait_ready(direction, deadline); error != 0) return -error;
      } else if (n != -EINTR) {
        return n;
      }
    }
  }

  int fd_;
  FdKind kind_;
  bool drained_ = true;  // the last read took all there was: wait for an edge before the next; the reader's
  rt::PollDesc* desc_;
  mutable FdLock lock_;
  std::array<Side, 2> sides_;
  std::string unlink_path_;
};

}  // namespace degu::net::internal
