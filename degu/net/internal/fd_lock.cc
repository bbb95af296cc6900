// All but the queues is one word, so that entering, leaving and closing have one order. Waiters hold a
// reference: the object stays until the last of them has left.
#include <degu/base/assert.h>
#include <degu/net/internal/fd_lock.h>
#include <degu/rt/park.h>
#include <degu/rt/race_point.h>

#include <cerrno>

namespace degu::net::internal {

using sync_internal::LockGuard;
using sync_internal::Waiter;

namespace {
constexpr unsigned index(rt::Direction direction) noexcept { return static_cast<unsigned>(direction); }
}  // namespace

uint64_t FdLock::with_ref(uint64_t state) noexcept {
  DEGU_CHECK(refs(state) < kMaxRefs,
             "more than {} calls at once on one descriptor; limit how many goroutines use it", kMaxRefs);
  return state + kRef;
}

bool FdLock::add_ref() noexcept {
  uint64_t state = state_.load(std::memory_order_relaxed);
  while ((state & kClosed) == 0) {
    if (state_.compare_exchange_weak(state, with_ref(state), std::memory_order_acquire,
                                     std::memory_order_relaxed))
      return true;
  }
  return false;
}

bool FdLock::drop_ref() noexcept {
  // acq_rel: who releases the descriptor comes after all that the others did with it.
  const uint64_t old = state_.fetch_sub(kRef, std::memory_order_acq_rel);
  DEGU_CHECK(refs(old) != 0, "a descriptor was left that nobody had entered");
  return (old & kClosed) != 0 && refs(old) == 1;
}

FdLock::Entry FdLock::lock(rt::Direction direction, TimePoint deadline) noexcept {
  const uint64_t locked = kLocked << index(direction);
  uint64_t state = state_.load(std::memory_order_relaxed);
  while ((state & (kClosed | locked)) == 0) {
    // acquire pairs with the release in unlock().
    if (state_.compare_exchange_weak(state, with_ref(state) | locked, std::memory_order_acquire,
                                     std::memory_order_relaxed))
      return {};
  }
  if ((state & kClosed) != 0) return {EBADF, false};
  return lock_slow(direction, deadline);
}

FdLock::Entry FdLock::lock_slow(rt::Direction direction, TimePoint deadline) noexcept {
  bool inside = false;  // we hold a reference
  int error = 0;
  while (true) {
    Waiter waiter;
    const Turn turn = take_turn(direction, waiter, inside);
    if (turn == Turn::kMine) return {};
    if (turn == Turn::kClosed) {
      error = EBADF;
      break;
    }
    const bool reads = direction == rt::Direction::kRead;
    const uint16_t tag = rt::park(reads ? rt::WaitReason::kIoRead : rt::WaitReason::kIoWrite, this, deadline);
    if (tag == waiter.tag) continue;
    leave_queue(direction, waiter);
    error = tag == rt::kTagTimeout ? ETIMEDOUT : ECANCELED;
    break;
  }
  return {error, inside && drop_ref()};
}

// Takes the lock, or stands in the queue with a reference.
FdLock::Turn FdLock::take_turn(rt::Direction direction, Waiter& waiter, bool& inside) noexcept {
  const uint64_t locked = kLocked << index(direction);
  const uint64_t waiters = kWaiters << index(direction);
  const LockGuard guard(queue_lock_);
  uint64_t state = state_.load(std::memory_order_relaxed);
  while ((state & kClosed) == 0) {
    const bool free = (state & locked) == 0;
    const uint64_t next = (inside ? state : with_ref(state)) | (free ? locked : waiters);
    DEGU_RACE_POINT();
    if (!state_.compare_exchange_weak(state, next, std::memory_order_acquire, std::memory_order_relaxed))
      continue;
    inside = true;
    if (free) return Turn::kMine;
    waiter.tag = 0;
    waiter.ticket = rt::begin_wait(rt::Interrupt::kObserve);
    queues_[index(direction)].push_back(&waiter);
    return Turn::kQueued;
  }
  return Turn::kClosed;
}

void FdLock::leave_queue(rt::Direction direction, Waiter& waiter) noexcept {
  const LockGuard guard(queue_lock_);
  sync_internal::WaitQueue& queue = queues_[index(direction)];
  queue.remove(&waiter);
  if (queue.empty()) state_.fetch_and(~(kWaiters << index(direction)), std::memory_order_relaxed);
}

bool FdLock::unlock(rt::Direction direction) noexcept {
  const uint64_t locked = kLocked << index(direction);
  const uint64_t waiters = kWaiters << index(direction);
  uint64_t state = state_.load(std::memory_order_relaxed);
  while (true) {
    DEGU_CHECK((state & locked) != 0 && refs(state) != 0, "a descriptor was unlocked that was not locked");
    // With somebody to wake the reference is kept until that is done: without it this object may be gone.
    const bool wake = (state & waiters) != 0;
    const uint64_t next = wake ? state & ~locked : (state & ~locked) - kRef;
    DEGU_RACE_POINT();
    if (!state_.compare_exchange_weak(state, next, std::memory_order_acq_rel, std::memory_order_relaxed))
      continue;
    if (!wake) return (state & kClosed) != 0 && refs(state) == 1;
    wake_next(direction);
    return drop_ref();
  }
}

void FdLock::wake_next(rt::Direction direction) noexcept {
  rt::G* g = nullptr;
  {
    const LockGuard guard(queue_lock_);
    sync_internal::WaitQueue& queue = queues_[index(direction)];
    if (const Waiter* waiter = queue.pop_claimed(); waiter != nullptr) g = waiter->ticket.g;
    if (queue.empty()) state_.fetch_and(~(kWaiters << index(direction)), std::memory_order_relaxed);
  }
  if (g != nullptr) rt::wake(g);
}

bool FdLock::close() noexcept {
  uint64_t state = state_.load(std::memory_order_relaxed);
  do {
    if ((state & kClosed) != 0) return false;
  } while (!state_.compare_exchange_weak(state, with_ref(state) | kClosed, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
  for (sync_internal::WaitQueue& queue : queues_) {
    Waiter* woken = nullptr;
    {
      const LockGuard guard(queue_lock_);
      woken = queue.pop_all_claimed();
    }
    sync_internal::wake_all(woken);
  }
  return true;
}

bool FdLock::abandon() noexcept {
  return (state_.fetch_or(kAbandoned, std::memory_order_acq_rel) & kReleased) != 0;
}

bool FdLock::released() noexcept {
  return (state_.fetch_or(kReleased, std::memory_order_acq_rel) & kAbandoned) != 0;
}

}  // namespace degu::net::internal
