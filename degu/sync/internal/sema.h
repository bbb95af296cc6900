// Sema: a counter of permits with a FIFO of waiters; the base of RWMutex. Not observing the context.
#pragma once

#include <degu/rt/lock.h>
#include <degu/sync/internal/wait_queue.h>

#include <cstdint>

namespace degu::sync_internal {

class Sema {
 public:
  /// Takes a permit; waits for one.
  void acquire(rt::WaitReason reason, const void* object) noexcept;
  /// Adds permits: each goes to the waiter that came first, or is kept.
  void release(uint32_t permits) noexcept;

 private:
  rt::Lock lock_;
  uint32_t permits_ = 0;
  WaitQueue queue_;
};

}  // namespace degu::sync_internal
