// OwnerLock: a lock that costs its owner two plain stores, and the rare others a system call. After "biased
// locking with asymmetric fences" (D. Dice, H. Huang, M. Yang, 2001; Linux membarrier(2)).
//
//   owner: entered = 1; compiler barrier;           other: claimed = 1; barrier on all running threads;
//          if (claimed) step back and wait;                wait until entered == 0;
//          ...; entered = 0                                ...; claimed = 0
//
// The other's barrier falls before or after the owner's store to `entered` reaches memory: after it the other
// sees entered == 1; before it the owner's later load sees claimed == 1.
#pragma once

#include <degu/rt/race_point.h>

#include <atomic>
#include <cstdint>

namespace degu::rt {

/// Makes all running threads of the process pass a full memory barrier. Some microseconds.
void barrier_everywhere() noexcept;
/// Does the kernel offer that? Decided at the first call.
bool has_barrier_everywhere() noexcept;

/// One owner at a time (who hands over synchronises by other means), any number of others. Critical sections
/// are a few dozen instructions, without calls that block.
class OwnerLock {
 public:
  OwnerLock() noexcept {
    if (!has_barrier_everywhere()) claimed_.store(kNoBarrier, std::memory_order_relaxed);
  }

  void lock() noexcept {
    entered_.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    DEGU_RACE_POINT();
    // acquire pairs with the release in unlock_other().
    if (claimed_.load(std::memory_order_acquire) != 0) [[unlikely]]
      lock_slow();
  }
  void unlock() noexcept { entered_.store(0, std::memory_order_release); }

  /// For threads that are not the owner. False: another one has it, or the owner does not come out.
  bool try_lock_other() noexcept;
  void unlock_other() noexcept { claimed_.fetch_and(~kClaimed, std::memory_order_release); }

 private:
  static constexpr uint32_t kClaimed = 1;
  static constexpr uint32_t kNoBarrier = 2;  // for ever: both sides fence for themselves

  void lock_slow() noexcept;

  std::atomic<uint32_t> entered_{0};
  std::atomic<uint32_t> claimed_{0};
};

}  // namespace degu::rt
