// WaitGroup. The one danger is its end: the waiter may free it as soon as it knows that the counter is zero,
// while the last done() is still inside. So the step to zero, and wait()'s look at the counter, are made
// under lock_, and done() touches nothing after the unlock: the waiters it wakes are on a list of its own.
// All other steps are one CAS.
#include <degu/base/assert.h>
#include <degu/rt/race_point.h>
#include <degu/rt/sim_point.h>
#include <degu/sync/wait_group.h>

namespace degu {

void WaitGroup::add(int delta) noexcept {
  rt::sim_point();
  int32_t count = count_.load(std::memory_order_relaxed);
  // acq_rel: the goroutine that brings the counter to zero passes on what all others did before their done().
  while (count > 0 && count + delta > 0) {
    if (count_.compare_exchange_weak(count, count + delta, std::memory_order_acq_rel,
                                     std::memory_order_relaxed))
      return;
  }
  add_slow(delta);
}

void WaitGroup::add_slow(int delta) noexcept {
  sync_internal::Waiter* waiters = nullptr;
  lock_.lock();
  const int32_t count = count_.fetch_add(delta, std::memory_order_acq_rel) + delta;
  DEGU_CHECK(count >= 0,
             "WaitGroup counter is negative ({}) in WaitGroup {}: add() before the goroutine starts, done() "
             "once in each",
             count, static_cast<const void*>(this));
  if (count == 0) waiters = queue_.pop_all_claimed();
  lock_.unlock();
  DEGU_RACE_POINT();
  sync_internal::wake_all(waiters);
}

// False: interrupted.
bool WaitGroup::wait_until_zero(rt::Interrupt interrupt) noexcept {
  rt::sim_point();
  sync_internal::Waiter waiter;
  lock_.lock();
  if (count_.load(std::memory_order_acquire) == 0) {
    lock_.unlock();
    return true;
  }
  if (rt::G* g = rt::sole_waiter(interrupt)) {
    waiter.ticket = {g, rt::kSoleSeq};
    queue_.push_back(&waiter);
    rt::park_unlocking(g, lock_, rt::WaitReason::kWaitGroup, this);
    return true;
  }
  waiter.ticket = rt::begin_wait(interrupt);
  waiter.tag = 0;
  queue_.push_back(&waiter);
  lock_.unlock();
  DEGU_RACE_POINT();
  if (rt::park(rt::WaitReason::kWaitGroup, this) != rt::kTagCancelled) return true;
  const sync_internal::LockGuard guard(lock_);
  queue_.remove(&waiter);
  return false;
}

void WaitGroup::wait() {
  if (!wait_until_zero(rt::Interrupt::kObserve)) rt::throw_interrupted();
}

WaitGroup::~WaitGroup() { wait_until_zero(rt::Interrupt::kIgnore); }

}  // namespace degu
