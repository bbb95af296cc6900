// Mutex: mutual exclusion between goroutines. Go's sync.Mutex.
#pragma once

#include <degu/base/time.h>
#include <degu/rt/lock.h>
#include <degu/rt/owner.h>
#include <degu/rt/sim_point.h>
#include <degu/sync/internal/wait_queue.h>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace degu {

/// Parks the goroutine, never the thread, so it may be held while the goroutine sleeps, does I/O or migrates.
/// Not recursive. Any goroutine or foreign thread may unlock it. Meets Lockable: use std::lock_guard,
/// std::unique_lock, std::scoped_lock.
///
/// Two modes, as in Go. Normally who comes first gets it, which is fast: a goroutine that runs may overtake
/// one that was just woken. Once a waiter has waited for 1 ms the mutex is handed from goroutine to goroutine
/// in order of arrival until nobody has waited that long, so nobody starves, also on one P.
///
/// Must not be destroyed while it is locked or waited for. 32 bytes, no allocation.
class Mutex {
 public:
  constexpr Mutex() noexcept = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  /// Does not observe the context: clean-up code must be able to restore invariants. Locking twice in one
  /// goroutine waits for ever.
  void lock() noexcept {
    rt::sim_point();
    uint32_t expected = 0;
    // acquire pairs with the release in unlock().
    if (!state_.compare_exchange_strong(expected, kLocked, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      lock_slow(rt::Interrupt::kIgnore, kNever);
    }
    owner_.store(rt::owner_mark(), std::memory_order_relaxed);
  }

  /// Never waits. False while it is locked, or is being handed over.
  [[nodiscard]] bool try_lock() noexcept;

  /// Waits until `deadline` at most; false: not locked. The end of the current context ends the wait: throws
  /// Cancelled or DeadlineExceeded.
  [[nodiscard]] bool try_lock_until(TimePoint deadline);
  [[nodiscard]] bool try_lock_for(std::chrono::nanoseconds patience) {
    return try_lock_until(after_delay(now(), patience));
  }

  /// Aborts the process when it is not locked: an invariant is broken somewhere.
  void unlock() noexcept {
    rt::sim_point();
    const uint32_t old = state_.fetch_sub(kLocked, std::memory_order_release);
    if (old != kLocked) [[unlikely]]
      unlock_slow(old);
  }

  bool has_waiters_for_test() const noexcept { return !queue_.empty_hint(); }
  bool starving_for_test() const noexcept {
    return (state_.load(std::memory_order_relaxed) & kStarving) != 0;
  }

  /// Where the owner's mark is in a Mutex, for rt::set_owner_offset().
  static std::size_t owner_offset() noexcept;

 private:
  struct LockWaiter;
  enum class Parked : uint8_t { kGranted, kWoken, kTimeout, kCancelled };

  static constexpr uint32_t kLocked = 1;
  static constexpr uint32_t kWaiters = 2;   // the queue is not empty
  static constexpr uint32_t kWoken = 4;     // somebody is on the way to lock: unlock() need not wake another
  static constexpr uint32_t kStarving = 8;  // handed over in order; nobody else may take it

  Parked lock_slow(rt::Interrupt interrupt, TimePoint deadline) noexcept;
  bool spin(bool& awoke) noexcept;
  bool take(uint32_t& state, bool awoke) noexcept;
  Parked park_in_queue(LockWaiter& waiter, bool awoke, rt::Interrupt interrupt, TimePoint deadline) noexcept;
  void unlock_slow(uint32_t old) noexcept;
  void wake_first() noexcept;
  void hand_over(uint32_t state) noexcept;

  std::atomic<uint32_t> state_{0};
  rt::Lock queue_lock_;  // guards queue_; kWaiters, and kStarving while unlocked, change only under it
  std::atomic<uint32_t> barges_{0};  // locks taken past a woken waiter; a heuristic, may lose counts
  std::atomic<uint32_t> owner_{0};   // who locked it last, for the search for deadlocks; 0: not known
  sync_internal::WaitQueue queue_;
};

}  // namespace degu
