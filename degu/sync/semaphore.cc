// Semaphore. Invariant, with lock_ held: the first waiter wants more than is free, or has just been
// interrupted and will look again when it leaves. So whoever changes free_, or takes the first waiter away,
// calls grant().
#include <degu/base/assert.h>
#include <degu/base/error.h>
#include <degu/rt/race_point.h>
#include <degu/rt/sim_point.h>
#include <degu/sync/semaphore.h>

#include <string>

namespace degu {

struct Semaphore::PermitWaiter : sync_internal::Waiter {
  int64_t permits;
};

bool Semaphore::take(int64_t permits) noexcept {
  if (!queue_.empty() || free_ < permits) return false;
  free_ -= permits;
  return true;
}

// Serves waiters in order as far as the free permits reach; returns them, to be woken after the unlock.
sync_internal::Waiter* Semaphore::grant() noexcept {
  sync_internal::Waiter* served = nullptr;
  sync_internal::Waiter** link = &served;
  while (!queue_.empty()) {
    auto* first = static_cast<PermitWaiter*>(queue_.front());
    if (first->permits > free_) break;
    queue_.remove(first);
    if (!rt::claim(first->ticket, first->tag)) continue;
    free_ -= first->permits;
    first->next = nullptr;
    *link = first;
    link = &first->next;
  }
  return served;
}

void Semaphore::acquire(int64_t permits) {
  // Without a deadline the only way not to have them is an exception.
  static_cast<void>(try_acquire_until(kNever, permits));
}

bool Semaphore::try_acquire_until(TimePoint deadline, int64_t permits) {
  DEGU_CHECK(permits >= 0, "Semaphore {}: negative number of permits: {}", static_cast<const void*>(this),
             permits);
  if (permits > capacity_) {
    throw Error(Code::kInvalidArgument, "semaphore: " + std::to_string(permits) + " permits wanted of " +
                                            std::to_string(capacity_) + " in all");
  }
  rt::sim_point();
  PermitWaiter waiter;
  {
    const sync_internal::LockGuard guard(lock_);
    if (take(permits)) return true;
    waiter.ticket = rt::begin_wait(rt::Interrupt::kObserve);
    waiter.tag = 0;
    waiter.permits = permits;
    queue_.push_back(&waiter);
  }
  DEGU_RACE_POINT();
  const uint16_t tag = rt::park(rt::WaitReason::kSemaphore, this, deadline);
  if (tag == 0) return true;
  DEGU_RACE_POINT();
  lock_.lock();
  queue_.remove(&waiter);
  sync_internal::Waiter* served = grant();
  lock_.unlock();
  sync_internal::wake_all(served);
  if (tag == rt::kTagCancelled) rt::throw_interrupted();
  return false;
}

bool Semaphore::try_acquire(int64_t permits) noexcept {
  DEGU_CHECK(permits >= 0, "Semaphore {}: negative number of permits: {}", static_cast<const void*>(this),
             permits);
  rt::sim_point();
  const sync_internal::LockGuard guard(lock_);
  return take(permits);
}

void Semaphore::release(int64_t permits) noexcept {
  rt::sim_point();
  lock_.lock();
  free_ += permits;
  const bool legal = permits >= 0 && free_ <= capacity_;
  sync_internal::Waiter* served = grant();
  lock_.unlock();
  DEGU_CHECK(legal,
             "Semaphore {}: {} permits released that were not held: release() what acquire() took, or hold()",
             static_cast<const void*>(this), permits);
  DEGU_RACE_POINT();
  sync_internal::wake_all(served);
}

std::size_t Semaphore::waiters_for_test() noexcept {
  const sync_internal::LockGuard guard(lock_);
  std::size_t count = 0;
  for (const sync_internal::Waiter* w = queue_.front(); w != nullptr; w = w->next) ++count;
  return count;
}

int64_t Semaphore::available() noexcept {
  const sync_internal::LockGuard guard(lock_);
  return free_;
}

}  // namespace degu
