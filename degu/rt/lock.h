// Lock: the runtime's own lock, for critical sections of a few dozen instructions.
#pragma once

#include <atomic>
#include <cstdint>

namespace degu::rt {

/// A 4-byte futex lock (Drepper, "Futexes are tricky", mutex3 with a short spin). It blocks the *thread*, so
/// it must never be held across park() or anything else that can wait. Not recursive, not fair. Meets
/// Lockable.
class Lock {
 public:
  void lock() noexcept {
    uint32_t expected = kFree;
    // acquire pairs with the release in unlock().
    if (!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      lock_slow();
    }
  }
  bool try_lock() noexcept {
    uint32_t expected = kFree;
    return state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                          std::memory_order_relaxed);
  }
  void unlock() noexcept {
    if (state_.exchange(kFree, std::memory_order_release) == kContended) wake_one();
  }

 private:
  static constexpr uint32_t kFree = 0;
  static constexpr uint32_t kHeld = 1;
  static constexpr uint32_t kContended = 2;  // held, and a thread may sleep on it

  void lock_slow() noexcept;
  void wake_one() noexcept;

  std::atomic<uint32_t> state_{kFree};
};

}  // namespace degu::rt
