// Mutex. The protocol is that of Go's sync/mutex.go, with an explicit queue instead of a semaphore, so that a
// waiter can leave it.
//
// State changes:
//   lock      free -> kLocked: by anybody unless kStarving (CAS).
//   wait      kWaiters is set, by CAS, only while kLocked or kStarving is: so an unlock that comes later sees it.
//   unlock    kLocked is dropped. With waiters, and nobody kWoken: set kWoken, wake the first, who competes for
//             the lock (and clears kWoken when it has it, or waits again at the front of the queue).
//   starving  set by a woken waiter that has lost again after 1 ms in all. Then unlock gives kLocked straight to
//             the first waiter. Cleared by the hand-over to the last waiter, or to one that has waited for less
//             than 1 ms. The unlocker then yields to the new owner.
//   leave     a waiter whose patience ended unlinks itself; the last one clears kWaiters and kStarving. It is never
//             kWoken, as it gave that up, while the mutex was locked, when it parked.
// kWoken has one owner: who set it, or the waiter it was set for.
//
// The woken waiter of a goroutine that locks and unlocks in a loop might never run on one P, as goroutines
// are not preempted. So a goroutine that has overtaken a woken waiter kMaxBarges times yields once, in
// lock().
#include <degu/base/assert.h>
#include <degu/rt/race_point.h>
#include <degu/rt/run.h>
#include <degu/sync/mutex.h>

#include <cstddef>

namespace degu {
namespace {

constexpr std::chrono::milliseconds kStarvationLimit{1};
constexpr uint32_t kMaxBarges = 256;
// Few looks far apart: each takes the cache line from an owner who may be locking it every few nanoseconds.
constexpr int kSpinRounds = 2;
constexpr int kPausesPerRound = 40;

inline void cpu_pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

struct Mutex::LockWaiter : sync_internal::Waiter {
  TimePoint since{};     // of the first wait
  bool granted = false;  // the lock was handed over
};

std::size_t Mutex::owner_offset() noexcept { return offsetof(Mutex, owner_); }

namespace {
[[maybe_unused]] const bool owner_is_known =
    (rt::set_owner_offset(rt::WaitReason::kMutex, Mutex::owner_offset()), true);
}

bool Mutex::try_lock() noexcept {
  rt::sim_point();
  uint32_t state = state_.load(std::memory_order_relaxed);
  while ((state & (kLocked | kStarving)) == 0) {
    if (state_.compare_exchange_weak(state, state | kLocked, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      owner_.store(rt::owner_mark(), std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

bool Mutex::try_lock_until(TimePoint deadline) {
  rt::sim_point();
  uint32_t expected = 0;
  if (state_.compare_exchange_strong(expected, kLocked, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
    owner_.store(rt::owner_mark(), std::memory_order_relaxed);
    return true;
  }
  const Parked result = lock_slow(rt::Interrupt::kObserve, deadline);
  if (result == Parked::kCancelled) rt::throw_interrupted();
  if (result != Parked::kGranted) return false;
  owner_.store(rt::owner_mark(), std::memory_order_relaxed);
  return true;
}

// Takes the lock if it is free; `state` is up to date otherwise.
bool Mutex::take(uint32_t& state, bool awoke) noexcept {
  while ((state & (kLocked | kStarving)) == 0) {
    const uint32_t wanted = (state | kLocked) & ~(awoke ? kWoken : 0u);
    if (state_.compare_exchange_weak(state, wanted, std::memory_order_acquire, std::memory_order_relaxed))
      return true;
  }
  return false;
}

// Waits a moment for a holder that runs on another P. Marks itself as woken, so that unlock() does not wake a
// waiter in vain.
bool Mutex::spin(bool& awoke) noexcept {
  if (rt::procs() == 1) return false;
  for (int round = 0; round < kSpinRounds; ++round) {
    uint32_t state = state_.load(std::memory_order_relaxed);
    if ((state & kStarving) != 0) return false;
    if (take(state, awoke)) return true;
    if (!awoke && (state & (kLocked | kWoken | kWaiters)) == (kLocked | kWaiters) &&
        state_.compare_exchange_strong(state, state | kWoken, std::memory_order_relaxed)) {
      awoke = true;
    }
    for (int i = 0; i < kPausesPerRound; ++i) cpu_pause();
  }
  return false;
}

Mutex::Parked Mutex::lock_slow(rt::Interrupt interrupt, TimePoint deadline) noexcept {
  uint32_t state = state_.load(std::memory_order_relaxed);
  if ((state & kWoken) != 0) {
    const uint32_t barges = barges_.load(std::memory_order_relaxed);
    barges_.store(barges < kMaxBarges ? barges + 1 : 0, std::memory_order_relaxed);
    if (barges == kMaxBarges) {
      yield();
      state = state_.load(std::memory_order_relaxed);
    }
  }
  LockWaiter waiter;
  bool awoke = false;
  for (;;) {
    if (take(state, awoke) || spin(awoke)) return Parked::kGranted;
    DEGU_RACE_POINT();
    const Parked result = park_in_queue(waiter, awoke, interrupt, deadline);
    if (result != Parked::kWoken) return result;
    awoke = true;
    barges_.store(0, std::memory_order_relaxed);
    state = state_.load(std::memory_order_relaxed);
  }
}

Mutex::Parked Mutex::park_in_queue(LockWaiter& waiter, bool awoke, rt::Interrupt interrupt,
                                   TimePoint deadline) noexcept {
  const bool again = waiter.since != TimePoint{};
  const TimePoint current = now();
  if (!again) waiter.since = current;
  const bool starving = again && current - waiter.since > kStarvationLimit;

  queue_lock_.lock();
  uint32_t state = state_.load(std::memory_order_relaxed);
  for (;;) {
    if (take(state, awoke)) {
      queue_lock_.unlock();
      return Parked::kGranted;
    }
    const uint32_t mode = starving && (state & kLocked) != 0 ? kStarving : 0u;
    const uint32_t wanted = (state | kWaiters | mode) & ~(awoke ? kWoken : 0u);
    if (state_.compare_exchange_weak(state, wanted, std::memory_order_relaxed)) break;
  }
  rt::G* g = deadline == kNever ? rt::sole_waiter(interrupt) : nullptr;
  waiter.ticket = g != nullptr ? rt::Ticket{g, rt::kSoleSeq} : rt::begin_wait(interrupt);
  waiter.tag = 0;
  if (again) {
    queue_.push_front(&waiter);
  } else {
    queue_.push_back(&waiter);
  }
  if (g != nullptr) {
    rt::park_unlocking(g, queue_lock_, rt::WaitReason::kMutex, this);
    return waiter.granted ? Parked::kGranted : Parked::kWoken;
  }
  queue_lock_.unlock();
  DEGU_RACE_POINT();

  const uint16_t tag = rt::park(rt::WaitReason::kMutex, this, deadline);
  if (tag == 0) return waiter.granted ? Parked::kGranted : Parked::kWoken;
  DEGU_RACE_POINT();
  const sync_internal::LockGuard guard(queue_lock_);
  queue_.remove(&waiter);
  if (queue_.empty()) state_.fetch_and(~(kWaiters | kStarving), std::memory_order_relaxed);
  return tag == rt::kTagTimeout ? Parked::kTimeout : Parked::kCancelled;
}

void Mutex::unlock_slow(uint32_t old) noexcept {
  DEGU_CHECK((old & kLocked) != 0,
             "unlock of unlocked Mutex {}: unlock it once for each lock(); std::lock_guard does",
             static_cast<const void*>(this));
  if ((old & kStarving) == 0 && (old & (kWaiters | kWoken)) != kWaiters) return;
  DEGU_RACE_POINT();
  queue_lock_.lock();
  // acquire: the lock may have changed hands meanwhile, and what its last owner did has to reach the one it is given to.
  uint32_t state = state_.load(std::memory_order_acquire);
  for (;;) {
    // Locked again: the next unlock is theirs. Or nobody needs to be woken.
    const bool starving = (state & kStarving) != 0;
    if ((state & kLocked) != 0 || (!starving && (state & (kWaiters | kWoken)) != kWaiters)) {
      queue_lock_.unlock();
      return;
    }
    if (starving) return hand_over(state);
    if (state_.compare_exchange_weak(state, state | kWoken, std::memory_order_acquire)) return wake_first();
  }
}

// Both are called with queue_lock_ held and release it.

void Mutex::wake_first() noexcept {
  sync_internal::Waiter* first = queue_.pop_claimed();
  const uint32_t done = (queue_.empty() ? kWaiters : 0u) | (first == nullptr ? kWoken : 0u);
  if (done != 0) state_.fetch_and(~done, std::memory_order_relaxed);
  queue_lock_.unlock();
  if (first != nullptr) rt::wake_any(first->ticket);
}

// While it is unlocked and starving nobody changes the state without queue_lock_.
void Mutex::hand_over(uint32_t state) noexcept {
  auto* first = static_cast<LockWaiter*>(queue_.pop_claimed());
  if (queue_.empty()) state &= ~(kWaiters | kStarving);
  if (first != nullptr) {
    if (now() - first->since <= kStarvationLimit) state &= ~kStarving;
    first->granted = true;
    owner_.store(0, std::memory_order_relaxed);  // until the new one runs
    state |= kLocked;
  }
  state_.store(state, std::memory_order_release);
  queue_lock_.unlock();
  if (first == nullptr) return;
  rt::wake_any(first->ticket);
  // The new owner runs at once, in what is left of our turn (Go's Semrelease with handoff): else all others would wait
  // for as long as we go on without the lock. `this` may be gone after that.
  yield();
}

}  // namespace degu
