#include <degu/rt/internal/futex.h>
#include <degu/rt/lock.h>

namespace degu::rt {

void Lock::lock_slow() noexcept {
  // Holders run on another processor and finish soon; a futex round trip costs microseconds. The pauses are long, so that a holder
  // that takes the lock again and again does so many times without losing the cache line to us (as in Go's lock2).
  constexpr int kRounds = 8;
  constexpr int kPauses = 30;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kPauses; ++i) cpu_relax();
    if (state_.load(std::memory_order_relaxed) == kFree && try_lock()) return;
  }
  while (state_.exchange(kContended, std::memory_order_acquire) != kFree) futex_wait(state_, kContended);
}

void Lock::wake_one() noexcept { futex_wake(state_, 1); }

}  // namespace degu::rt
