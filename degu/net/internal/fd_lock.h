// FdLock: lets any goroutine close a descriptor that others are using. After Go's internal/poll.fdMutex.
#pragma once

#include <degu/base/time.h>
#include <degu/rt/lock.h>
#include <degu/rt/netpoll.h>
#include <degu/sync/internal/wait_queue.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace degu::net::internal {

/// Counts who is inside a call on a descriptor, and lets in one reader and one writer at a time. Once closed
/// nobody new gets in; whoever leaves last is told to release the descriptor, so its number is not used again
/// while a call is inside. Two atomic operations a call when nobody else wants in. Misuse aborts.
class FdLock {
 public:
  FdLock() noexcept = default;
  FdLock(const FdLock&) = delete;
  FdLock& operator=(const FdLock&) = delete;

  /// Enters beside all others. False: closed.
  bool add_ref() noexcept;
  /// Leaves. True: closed and nobody is inside any more, so the caller releases the descriptor.
  [[nodiscard]] bool drop_ref() noexcept;

  struct Entry {
    int error = 0;         ///< 0: inside. EBADF: closed. ETIMEDOUT; ECANCELED: the current context has ended
    bool release = false;  ///< not inside, but the last to leave a closed descriptor: as drop_ref()
  };
  /// Enters as the only one of this direction; waits for the one before.
  [[nodiscard]] Entry lock(rt::Direction direction, TimePoint deadline) noexcept;
  /// Leaves; as drop_ref().
  [[nodiscard]] bool unlock(rt::Direction direction) noexcept;

  /// Sends away those who wait in lock() and lets nobody in. True for the first caller, who is inside then and
  /// leaves by drop_ref().
  [[nodiscard]] bool close() noexcept;
  bool closed() const noexcept { return (state_.load(std::memory_order_acquire) & kClosed) != 0; }

  /// The end of the object that holds this: its owner lets go, and the descriptor was released. Of these two
  /// calls the later one returns true, and its caller frees the object.
  [[nodiscard]] bool abandon() noexcept;
  [[nodiscard]] bool released() noexcept;

  /// Calls inside now, waiting ones too.
  uint64_t users_for_test() const noexcept { return refs(state_.load(std::memory_order_relaxed)); }

 private:
  static constexpr uint64_t kClosed = 1;
  static constexpr uint64_t kAbandoned = 2;
  static constexpr uint64_t kReleased = 4;
  static constexpr uint64_t kLocked = 8;    // shifted by the direction
  static constexpr uint64_t kWaiters = 32;  // shifted by the direction: its queue is not empty
  static constexpr unsigned kRefShift = 8;
  static constexpr uint64_t kRef = 1ULL << kRefShift;
  static constexpr uint64_t kMaxRefs = (1ULL << 20) - 1;

  static constexpr uint64_t refs(uint64_t state) noexcept { return state >> kRefShift; }
  static uint64_t with_ref(uint64_t state) noexcept;

  Entry lock_slow(rt::Direction direction, TimePoint deadline) noexcept;
  enum class Turn : uint8_t { kMine, kQueued, kClosed };
  Turn take_turn(rt::Direction direction, sync_internal::Waiter& waiter, bool& inside) noexcept;
  void leave_queue(rt::Direction direction, sync_internal::Waiter& waiter) noexcept;
  void wake_next(rt::Direction direction) noexcept;

  std::atomic<uint64_t> state_{0};
  rt::Lock queue_lock_;  // guards the queues; kWaiters changes only under it
  std::array<sync_internal::WaitQueue, 2> queues_;
};

}  // namespace degu::net::internal
