// Two halves, one for each direction. A writer shows its bytes in `shown`, readers copy from there; whoever changes
// something that others may wait for wakes all, who look again: there are seldom more than two.
#include <degu/base/error.h>
#include <degu/base/ref.h>
#include <degu/net/internal/memory_pipe.h>
#include <degu/sync/cond.h>
#include <degu/sync/mutex.h>
#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

namespace degu::net::internal {
namespace {

// One side of one half: what keeps its calls from going on.
struct Side {
  TimePoint deadline = kNever;
  bool ended = false;  // by close() or interrupt(): its own calls fail
  bool busy = false;   // somebody of this side has his turn
};

class Half {
 public:
  IoResult read(std::span<char> into, TimePoint deadline) noexcept {
    std::unique_lock guard(lock_);
    const auto ready = [this] { return !shown_.empty() || write_closed_; };
    if (const int error = wait(guard, reader_, deadline, ready); error != 0) return {0, error};
    if (shown_.empty()) return {0, 0};
    const std::size_t bytes = std::min(into.size(), shown_.size());
    if (bytes != 0) std::memcpy(into.data(), shown_.data(), bytes);
    shown_ = shown_.subspan(bytes);
    if (shown_.empty()) changed_.broadcast();
    return {bytes, 0};
  }

  IoResult write(std::span<const iovec> parts, TimePoint deadline) noexcept {
    std::unique_lock guard(lock_);
    if (const int error = wait(guard, writer_, deadline, [this] { return !writer_.busy; }); error != 0)
      return {0, error};
    writer_.busy = true;
    IoResult result;
    for (const iovec& part : parts) {
      shown_ = {static_cast<const char*>(part.iov_base), part.iov_len};
      changed_.broadcast();
      result.error = wait(guard, writer_, deadline, [this] { return shown_.empty() || gone(); });
      if (shown_.empty()) {
        result.error = 0;  // whatever came just then
      } else if (result.error == 0) {
        result.error = write_closed_ ? EBADF : EPIPE;
      }
      result.bytes += part.iov_len - shown_.size();
      shown_ = {};
      if (result.error != 0) break;
    }
    writer_.busy = false;
    changed_.broadcast();
    return result;
  }

  int wait_readable(TimePoint deadline) noexcept {
    std::unique_lock guard(lock_);
    return wait(guard, reader_, deadline, [this] { return !shown_.empty() || write_closed_; });
  }

  void set_deadline(rt::Direction side, TimePoint deadline) noexcept {
    change([&] { (side == rt::Direction::kRead ? reader_ : writer_).deadline = deadline; });
  }
  void interrupt(rt::Direction side) noexcept {
    change([&] { (side == rt::Direction::kRead ? reader_ : writer_).ended = true; });
  }
  void close_write() noexcept {
    change([&] { write_closed_ = true; });
  }
  void close_read() noexcept {
    change([&] { read_closed_ = true; });
  }

 private:
  bool gone() const noexcept { return write_closed_ || read_closed_; }

  template <class F>
  void change(F f) noexcept {
    const std::lock_guard guard(lock_);
    f();
    changed_.broadcast();
  }

  // Until `ready()`; 0, or why it cannot be waited for any longer. The end and the deadline come first, as in Go.
  template <class Ready>
  int wait(std::unique_lock<Mutex>& guard, Side& side, TimePoint deadline, Ready ready) noexcept {
    while (true) {
      if (side.ended) return EBADF;
      if (side.deadline != kNever && now() >= side.deadline) return ETIMEDOUT;
      if (ready()) return 0;
      const TimePoint seen = side.deadline;
      const auto look_again = [&] { return side.ended || side.deadline != seen || ready(); };
      try {
        if (!changed_.wait_until(guard, std::min(deadline, seen), look_again) && now() >= deadline)
          return ETIMEDOUT;
      } catch (const Error&) {
        return ECANCELED;
      }
    }
  }

  Mutex lock_;  // guards all below
  Cond changed_;
  std::span<const char> shown_;  // what the writer has and no reader took yet
  Side reader_;
  Side writer_;
  bool write_closed_ = false;
  bool read_closed_ = false;
};

struct Core : RefCounted<Core> {
  Half halves[2];
};

class MemoryPipe final : public Endpoint {
 public:
  MemoryPipe(Ref<Core> core, int side) noexcept
      : core_(std::move(core)), in_(core_->halves[side]), out_(core_->halves[1 - side]) {}

  IoResult read(std::span<char> into, TimePoint deadline) noexcept override {
    const Ref<Core> keep = core_;
    return in_.read(into, deadline);
  }
  IoResult writev(std::span<const iovec> parts, TimePoint deadline) noexcept override {
    const Ref<Core> keep = core_;
    return out_.write(parts, deadline);
  }
  Accepted accept(TimePoint) noexcept override { return {nullptr, EOPNOTSUPP}; }
  int wait(rt::Direction direction, TimePoint deadline) noexcept override {
    const Ref<Core> keep = core_;
    return direction == rt::Direction::kRead ? in_.wait_readable(deadline) : 0;
  }
  void set_deadline(rt::Direction direction, TimePoint deadline) noexcept override {
    (direction == rt::Direction::kRead ? in_ : out_).set_deadline(direction, deadline);
  }
  void shutdown_write() noexcept override { out_.close_write(); }
  void interrupt() noexcept override {
    in_.interrupt(rt::Direction::kRead);
    out_.interrupt(rt::Direction::kWrite);
  }
  void close() noexcept override {
    if (closed_.exchange(true, std::memory_order_acq_rel)) return;
    interrupt();
    out_.close_write();
    in_.close_read();
  }
  void release() noexcept override {
    close();
    delete this;
  }
  int fd() const noexcept override { return -1; }
  bool closed() const noexcept override { return closed_.load(std::memory_order_acquire); }
  std::string local_address() const override { return "pipe"; }
  std::string peer_address() const override { return "pipe"; }

 private:
  Ref<Core> core_;
  Half& in_;
  Half& out_;
  std::atomic<bool> closed_{false};
};

}  // namespace

std::pair<Endpoint*, Endpoint*> make_memory_pipe() {
  const Ref<Core> core = make_ref<Core>();
  auto first = std::make_unique<MemoryPipe>(core, 0);
  Endpoint* second = new MemoryPipe(core, 1);
  return {first.release(), second};
}

}  // namespace degu::net::internal
