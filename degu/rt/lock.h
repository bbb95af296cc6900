// Lock: the runtime's own lock, for critical sections of a few dozen instructions.
#pragma once

#include <atomic>
#include <cstdint>

namespace degu::rt {

/// Test, spin, then sleep for moments that grow to less than a millisecond: the holder is about to leave, or its
/// thread is off its CPU. There is no queue, so unlock() is a plain store. It blocks the *thread*, so it must never
/// be held across park() (but see park_unlocking()) or anything else that can wait. Not recursive, not fair. Meets
/// Lockable. Rejected: a futex word (mutex3 in Drepper, "Futexes are tricky"), whose unlock is a second atomic
/// exchange, a quarter of the price of a channel operation.
class Lock {
 public:
  void lock() noexcept {
    // acquire pairs with the release in unlock().
    if (held_.exchange(1, std::memory_order_acquire) != 0) [[unlikely]]
      lock_slow();
  }
  bool try_lock() noexcept {
    return held_.load(std::memory_order_relaxed) == 0 && held_.exchange(1, std::memory_order_acquire) == 0;
  }
  /// Where waiting is left to a function apart.
  bool lock_unless_held() noexcept { return held_.exchange(1, std::memory_order_acquire) == 0; }
  void unlock() noexcept { held_.store(0, std::memory_order_release); }

 private:
  void lock_slow() noexcept;

  std::atomic<uint32_t> held_{0};
};

}  // namespace degu::rt
