#include <degu/rt/internal/futex.h>
#include <degu/rt/lock.h>

namespace degu::rt {

// The pauses are long, so that a holder that takes the lock again and again does so many times without losing
// the cache line to us (as in Go's lock2).
void Lock::lock_slow() noexcept {
  uint32_t turn = 0;
  do {
    back_off(turn++);
  } while (!try_lock());
}

}  // namespace degu::rt
