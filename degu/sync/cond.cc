// Cond. The waiter is in the queue before the user's lock is released, so a signal given under that lock
// finds it. Between enqueue() and park() only lock.unlock() runs, which never parks.
#include <degu/rt/race_point.h>
#include <degu/rt/sim_point.h>
#include <degu/sync/cond.h>

namespace degu {

void Cond::enqueue(sync_internal::Waiter& waiter, rt::Interrupt interrupt) noexcept {
  waiter.ticket = rt::begin_wait(interrupt);
  waiter.tag = 0;
  const sync_internal::LockGuard guard(lock_);
  queue_.push_back(&waiter);
}

uint16_t Cond::park(sync_internal::Waiter& waiter, TimePoint deadline) noexcept {
  DEGU_RACE_POINT();
  const uint16_t tag = rt::park(rt::WaitReason::kCond, this, deadline);
  if (tag != 0) {
    const sync_internal::LockGuard guard(lock_);
    queue_.remove(&waiter);
  }
  return tag;
}

void Cond::signal() noexcept {
  rt::sim_point();
  if (queue_.empty_hint()) return;
  lock_.lock();
  sync_internal::Waiter* first = queue_.pop_claimed();
  lock_.unlock();
  if (first != nullptr) rt::wake_any(first->ticket);
}

void Cond::broadcast() noexcept {
  rt::sim_point();
  if (queue_.empty_hint()) return;
  lock_.lock();
  sync_internal::Waiter* all = queue_.pop_all_claimed();
  lock_.unlock();
  DEGU_RACE_POINT();
  sync_internal::wake_all(all);
}

}  // namespace degu
