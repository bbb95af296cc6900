#include <degu/rt/internal/futex.h>
#include <degu/rt/lock.h>

namespace degu::rt {

void Lock::lock_slow() noexcept {
  // Holders run on another processor and finish soon; a futex round trip costs microseconds.
  for (int spin = 0; spin < 64; ++spin) {
    cpu_relax();
    if (state_.load(std::memory_order_relaxed) == kFree && try_lock()) return;
  }
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) futex_wait(state_, kContended);
}

void Lock::wake_one() noexcept { futex_wake(state_, 1); }

}  // namespace degu::rt
