// Cond: waiting for a condition that a lock guards. Go's sync.Cond, with the lock as an argument as in std.
#pragma once

#include <degu/base/time.h>
#include <degu/rt/lock.h>
#include <degu/sync/internal/wait_queue.h>

#include <chrono>

namespace degu {

/// FIFO: signal() wakes the goroutine that has waited longest. No spurious wake-ups; yet others may change
/// the condition between the wake-up and the locking, so wait with a predicate. Signalling with or without
/// the lock is right. May be used with any lock, but with one at a time. No allocation.
///
///   std::unique_lock lock(mutex);
///   cond.wait(lock, [&] { return !queue.empty(); });
class Cond {
 public:
  Cond() noexcept = default;
  Cond(const Cond&) = delete;
  Cond& operator=(const Cond&) = delete;

  /// Unlocks `lock`, waits for a wake-up, and locks again, also if it throws. Throws Cancelled or
  /// DeadlineExceeded when the current context ends the wait. A wake-up is not lost to an interrupted waiter:
  /// it goes to the next.
  template <class L>
  void wait(L& lock) {
    if (wait_once(lock, rt::Interrupt::kObserve, kNever) == rt::kTagCancelled) rt::throw_interrupted();
  }
  /// Waits until `condition()`, which is called with the lock held.
  template <class L, class Condition>
  void wait(L& lock, Condition condition) {
    while (!condition()) wait(lock);
  }
  /// As wait(), until `deadline` at most. False: the condition does not hold then.
  template <class L, class Condition>
  [[nodiscard]] bool wait_until(L& lock, TimePoint deadline, Condition condition) {
    while (!condition()) {
      const uint16_t tag = wait_once(lock, rt::Interrupt::kObserve, deadline);
      if (tag == rt::kTagCancelled) rt::throw_interrupted();
      if (tag == rt::kTagTimeout) return condition();
    }
    return true;
  }
  template <class L, class Condition>
  [[nodiscard]] bool wait_for(L& lock, std::chrono::nanoseconds patience, Condition condition) {
    return wait_until(lock, after_delay(now(), patience), std::move(condition));
  }

  /// Wakes the first waiter, if there is one.
  void signal() noexcept;
  /// Wakes all that wait now.
  void broadcast() noexcept;

  bool has_waiters_for_test() const noexcept { return !queue_.empty_hint(); }

 private:
  template <class L>
  uint16_t wait_once(L& lock, rt::Interrupt interrupt, TimePoint deadline) {
    struct Relock {
      L& lock;
      ~Relock() { lock.lock(); }
    };
    sync_internal::Waiter waiter;
    enqueue(waiter, interrupt);
    lock.unlock();
    const Relock relock{lock};
    return park(waiter, deadline);
  }
  void enqueue(sync_internal::Waiter& waiter, rt::Interrupt interrupt) noexcept;
  uint16_t park(sync_internal::Waiter& waiter, TimePoint deadline) noexcept;

  rt::Lock lock_;
  sync_internal::WaitQueue queue_;
};

}  // namespace degu
