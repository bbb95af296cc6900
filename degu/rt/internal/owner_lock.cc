#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/owner_lock.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace degu::rt {

void barrier_everywhere() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

bool has_barrier_everywhere() noexcept {
  static const bool registered =
      ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return registered;
}

void OwnerLock::lock_slow() noexcept {
  for (uint32_t turn = 0;; ++turn) {
    // Only needed where the kernel has no barrier for us.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if ((claimed_.load(std::memory_order_acquire) & kClaimed) == 0) return;
    entered_.store(0, std::memory_order_release);
    while ((claimed_.load(std::memory_order_acquire) & kClaimed) != 0) back_off(turn++);
    entered_.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

bool OwnerLock::try_lock_other() noexcept {
  constexpr int kPatience = 200;  // the owner's thread may be off its CPU
  if ((claimed_.fetch_or(kClaimed, std::memory_order_acq_rel) & kClaimed) != 0) return false;
  DEGU_RACE_POINT();
  if ((claimed_.load(std::memory_order_relaxed) & kNoBarrier) == 0) {
    barrier_everywhere();
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  for (int turn = 0; turn < kPatience; ++turn) {
    if (entered_.load(std::memory_order_acquire) == 0) return true;
    cpu_relax();
  }
  unlock_other();
  return false;
}

}  // namespace degu::rt
