// Parking: how a goroutine waits and how another one wakes it. Every blocking primitive of Degu is built on
// this page.
//
// A wait is named by a Ticket. Any number of wakers (a channel, a timer, a cancelled context) may hold a
// copy; at most one of them *claims* it. The winner publishes its result and calls wake() once. Both may
// happen before the waiter has parked: the handshake in the goroutine's wait word makes sure that no wake-up
// is lost and that no stack runs twice (docs/decisions/0001-park-handshake.md). So no lock is held across the
// switch:
//
//   lock.lock();                                  lock.lock();
//   if (ready) { ... unlock; return; }            Waiter* w = pop(waiters);
//   waiters.push({begin_wait(kObserve), &slot});  if (w && claim(w->ticket, kTag)) {
//   lock.unlock();                                  *w->slot = value;  G* g = w->ticket.g;
//   tag = park(reason, this);                       lock.unlock();  wake(g);   // w is gone from here on
#pragma once

#include <degu/base/time.h>
#include <degu/rt/lock.h>

#include <cstdint>
#include <string_view>

namespace degu::rt {

/// The record of a goroutine, or of a foreign thread that uses the runtime. Type-stable: never freed, only
/// reused.
struct G;

/// What a parked goroutine waits for; shown in dumps.
enum class WaitReason : uint8_t {
  kNone,
  kSleep,
  kChanSend,
  kChanRecv,
  kSelect,
  kMutex,
  kRWMutex,
  kRWMutexRead,
  kCond,
  kSemaphore,
  kWaitGroup,
  kTaskGroup,
  kOnce,
  kSingleFlight,
  kPool,
  kIoRead,
  kIoWrite,
  kSignal,
  kBlocking,
  kContext,
  kOther,
};

std::string_view to_string(WaitReason reason) noexcept;

/// Names one wait of one goroutine. Stale tickets are harmless: they cannot be claimed.
struct Ticket {
  G* g = nullptr;
  uint32_t seq = 0;
};

/// The sequence number of waits that only the holder of one lock can end: see park_unlocking().
inline constexpr uint32_t kSoleSeq = UINT32_MAX;

/// Does the end of the current context end this wait?
enum class Interrupt : bool { kIgnore, kObserve };

/// Tags 0 to 0xfff0 belong to the primitive that waits.
inline constexpr uint16_t kTagCancelled = 0xffff;
inline constexpr uint16_t kTagTimeout = 0xfffe;

/// The calling goroutine; on a foreign thread its stand-in, which parks on a futex. Never null. Not inline,
/// as it reads thread-local state that changes whenever the goroutine has been suspended.
G* current() noexcept;

/// Arms a wait. Exactly one park() follows, unless disarm() succeeds. With kObserve, and if the current
/// context has already ended, the wait is claimed with kTagCancelled at once. Contexts are not observed
/// inside a Shield and while an exception unwinds the stack.
Ticket begin_wait(Interrupt interrupt) noexcept;

/// Tries to become the one that ends the wait. The winner must call wake(ticket.g) exactly once. Thread-safe.
bool claim(Ticket ticket, uint16_t tag) noexcept;

/// Ends a wait that the caller has claimed, after publishing its results. Does not block. Thread-safe.
void wake(G* g) noexcept;

/// The shorter way, for waits whose wakers all hold one lock and that nothing else can end: the waiter queues
/// {current, kSoleSeq} and parks with the lock held, which opens when it is off its stack. Who pops it under that
/// lock has won: no claim, no handshake. Half the atomic operations of the long way.
///
///   if (G* g = sole_waiter(kObserve)) { waiters.push({g, kSoleSeq}); park_unlocking(g, lock, reason, this); }
///
/// The calling goroutine if nothing but the object may end its next wait: no context that could end is observed,
/// and it is not a foreign thread. Else null: take the long way.
G* sole_waiter(Interrupt interrupt) noexcept;
/// Suspends the calling goroutine `g` until wake_sole(); opens `lock`, which the caller holds.
void park_unlocking(G* g, Lock& lock, WaitReason reason, const void* object) noexcept;
/// Ends a wait that was queued with kSoleSeq and has been taken out of the queue. Thread-safe.
void wake_sole(G* g) noexcept;

/// claim() and wake() for either kind of wait.
inline bool claim_any(Ticket ticket, uint16_t tag) noexcept {
  return ticket.seq == kSoleSeq || claim(ticket, tag);
}
inline void wake_any(Ticket ticket) noexcept {
  ticket.seq == kSoleSeq ? wake_sole(ticket.g) : wake(ticket.g);
}

/// Takes an armed wait back without parking. False: somebody has claimed it, and park() must be called to
/// collect.
bool disarm() noexcept;

/// Suspends the calling goroutine until its armed wait is claimed and woken, and returns the winner's tag.
/// `object` is what it waits on, for dumps. A deadline claims with kTagTimeout.
uint16_t park(WaitReason reason, const void* object, TimePoint deadline = kNever) noexcept;

/// After kTagCancelled: throws Cancelled or DeadlineExceeded, as the current context ended.
[[noreturn]] void throw_interrupted();

/// The current context has ended, and waits would observe it.
bool interrupted() noexcept;

/// +1 enters, -1 leaves a shielded region of the calling goroutine: its waits ignore the context meanwhile.
void shield(int delta) noexcept;

/// A small number of the processor (P) that runs the caller, in [0, procs()); 0 on foreign threads. A hint
/// for sharding.
uint32_t current_proc() noexcept;

/// How many Ps the caller's scheduler has; 1 where none runs. A hint whether spinning can pay.
uint32_t procs() noexcept;

}  // namespace degu::rt
