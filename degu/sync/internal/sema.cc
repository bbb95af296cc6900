#include <degu/rt/race_point.h>
#include <degu/sync/internal/sema.h>

namespace degu::sync_internal {

void Sema::acquire(rt::WaitReason reason, const void* object) noexcept {
  lock_.lock();
  if (permits_ > 0) {
    --permits_;
    lock_.unlock();
    return;
  }
  Waiter waiter;
  if (rt::G* g = rt::sole_waiter(rt::Interrupt::kIgnore)) {
    waiter.ticket = {g, rt::kSoleSeq};
    queue_.push_back(&waiter);
    return rt::park_unlocking(g, lock_, reason, object);
  }
  waiter.ticket = rt::begin_wait(rt::Interrupt::kIgnore);
  waiter.tag = 0;
  queue_.push_back(&waiter);
  lock_.unlock();
  DEGU_RACE_POINT();
  rt::park(reason, object);
}

void Sema::release(uint32_t permits) noexcept {
  Waiter* first = nullptr;
  Waiter** link = &first;
  lock_.lock();
  for (; permits > 0; --permits) {
    Waiter* waiter = queue_.pop_claimed();
    if (waiter == nullptr) break;
    waiter->next = nullptr;
    *link = waiter;
    link = &waiter->next;
  }
  permits_ += permits;
  lock_.unlock();
  DEGU_RACE_POINT();
  wake_all(first);
}

}  // namespace degu::sync_internal
