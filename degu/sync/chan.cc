// The channel. After Go's runtime/chan.go.
//
// Invariants, with core.lock held:
//   - Receivers wait only while nothing is buffered, senders only while the buffer is full; both queues are
//     non-empty only if all waiters of one of them belong to selects or have been interrupted.
//   - A closed channel has no waiters.
//   - count elements live in buffer[head, tail) (mod capacity), oldest first.
//
// An element moves once between two goroutines that meet: the one that comes second moves straight between
// the two stacks, after the lock was released. Element moves never throw: chan.h boxes types whose moves may.
//
// Lock order: a channel's lock before the scheduler's and a cancel node's (begin_wait). Selects take several
// channels' locks in address order. Nothing takes a channel's lock while it holds another lock.
#include <degu/base/error.h>
#include <degu/rt/block_pool.h>
#include <degu/rt/race_point.h>
#include <degu/sync/chan.h>
#include <degu/sync/internal/chan_core.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

namespace degu::sync_internal {
namespace {

inline void copy_word(uint32_t word, void* to, const void* from) noexcept {
  if (word == 8) {
    std::memcpy(to, from, 8);
  } else {
    std::memcpy(to, from, 4);
  }
}

inline void move_element(const ElementOps& ops, void* to, void* from) noexcept {
  if (ops.move != nullptr) {
    ops.move(to, from);
  } else if (ops.word != 0) {
    copy_word(ops.word, to, from);
  } else {
    std::memcpy(to, from, ops.size);
  }
}

inline uint32_t next_index(const ChanCore& core, uint32_t index) noexcept {
  return index + 1 == core.capacity ? 0 : index + 1;
}

inline void push_element(ChanCore& core, void* element) noexcept {
  move_element(core.ops, core.at(core.tail), element);
  core.tail = next_index(core, core.tail);
}

inline void pop_element(ChanCore& core, void* slot) noexcept {
  void* oldest = core.at(core.head);
  move_element(core.ops, slot, oldest);
  if (core.ops.destroy != nullptr) core.ops.destroy(oldest);
  core.head = next_index(core, core.head);
}

inline uint32_t count_of(const ChanCore& core) noexcept { return core.count.load(std::memory_order_relaxed); }

[[gnu::always_inline]] inline Outcome send_step(ChanCore& core, void* element, Peer& peer) noexcept {
  if (core.closed.load(std::memory_order_relaxed)) return Outcome::kClosed;
  if (!core.receivers.empty()) {
    if (auto* receiver = static_cast<ChanWaiter*>(core.receivers.pop_claimed())) {
      peer.meet(receiver, element, receiver->slot);
      return Outcome::kDone;
    }
  }
  if (count_of(core) == core.capacity) return Outcome::kBlocked;
  push_element(core, element);
  core.count.store(count_of(core) + 1, std::memory_order_release);
  return Outcome::kDone;
}

[[gnu::always_inline]] inline Outcome recv_step(ChanCore& core, void* slot, Peer& peer) noexcept {
  if (count_of(core) > 0) {
    pop_element(core, slot);
    ChanWaiter* sender = nullptr;
    if (!core.senders.empty()) sender = static_cast<ChanWaiter*>(core.senders.pop_claimed());
    if (sender != nullptr) {
      push_element(core, sender->slot);
      peer.meet(sender, nullptr, nullptr);
    } else {
      core.count.store(count_of(core) - 1, std::memory_order_release);
    }
    return Outcome::kDone;
  }
  if (!core.senders.empty()) {
    if (auto* sender = static_cast<ChanWaiter*>(core.senders.pop_claimed())) {
      peer.meet(sender, sender->slot, slot);
      return Outcome::kDone;
    }
  }
  return core.closed.load(std::memory_order_relaxed) ? Outcome::kClosed : Outcome::kBlocked;
}

// A nil channel: only the end of the context ends the wait.
[[noreturn]] void wait_forever(rt::WaitReason reason) {
  for (;;) {
    rt::sim_point();
    rt::begin_wait(rt::Interrupt::kObserve);
    if (rt::park(reason, nullptr) == rt::kTagCancelled) rt::throw_interrupted();
  }
}

// A wait that its context may end; see wait_in().
[[gnu::noinline]] bool wait_interruptible(ChanCore& core, WaitQueue& queue, void* slot,
                                          rt::WaitReason reason) {
  ChanWaiter waiter;
  waiter.ticket = rt::begin_wait(rt::Interrupt::kObserve);
  waiter.tag = 0;
  waiter.slot = slot;
  waiter.ok = false;
  queue.push_back(&waiter);
  core.lock.unlock();
  DEGU_RACE_POINT();
  if (rt::park(reason, &core) == rt::kTagCancelled) [[unlikely]] {
    DEGU_RACE_POINT();
    {
      const LockGuard guard(core.lock);
      queue.remove(&waiter);
    }
    rt::throw_interrupted();
  }
  return waiter.ok;
}

// Waits in `queue`; called with the lock held, releases it. True: an element has passed. False: the channel
// was closed.
[[gnu::always_inline]] inline bool wait_in(ChanCore& core, WaitQueue& queue, void* slot,
                                           rt::WaitReason reason) {
  rt::G* g = rt::sole_waiter(rt::Interrupt::kObserve);
  if (g == nullptr) [[unlikely]]
    return wait_interruptible(core, queue, slot, reason);
  ChanWaiter waiter;
  waiter.ticket = {g, rt::kSoleSeq};
  waiter.slot = slot;
  waiter.ok = false;
  queue.push_back(&waiter);
  rt::park_unlocking(g, core.lock, reason, &core);
  return waiter.ok;
}

[[gnu::noinline]] void chan_send_waiting(ChanCore& core, void* element) {
  if (!wait_in(core, core.senders, element, rt::WaitReason::kChanSend)) throw_send_on_closed();
}
[[gnu::noinline]] bool chan_recv_waiting(ChanCore& core, void* slot) {
  return wait_in(core, core.receivers, slot, rt::WaitReason::kChanRecv);
}

// Any send, called with the lock held.
[[gnu::noinline]] void chan_send_any(ChanCore& core, void* element) {
  Peer peer;
  const Outcome outcome = send_step(core, element, peer);
  if (outcome == Outcome::kBlocked) return chan_send_waiting(core, element);
  core.lock.unlock();
  if (outcome == Outcome::kClosed) throw_send_on_closed();
  peer.finish(core.ops);
}

[[gnu::noinline]] bool chan_recv_any(ChanCore& core, void* slot) {
  Peer peer;
  const Outcome outcome = recv_step(core, slot, peer);
  if (outcome == Outcome::kBlocked) return chan_recv_waiting(core, slot);
  core.lock.unlock();
  peer.finish(core.ops);
  return outcome == Outcome::kDone;
}

// The lock is to be waited for.
[[gnu::noinline]] void chan_send_contended(ChanCore& core, void* element) {
  core.lock.lock();
  chan_send_any(core, element);
}
[[gnu::noinline]] bool chan_recv_contended(ChanCore& core, void* slot) {
  core.lock.lock();
  return chan_recv_any(core, slot);
}

// Copies an element between this goroutine and one that was popped, which goes on.
[[gnu::always_inline]] inline void hand_over(Waiter* popped, uint32_t word, void* to,
                                             const void* from) noexcept {
  DEGU_RACE_POINT();
  copy_word(word, to, from);
  static_cast<ChanWaiter*>(popped)->ok = true;
  rt::wake_sole(popped->ticket.g);
}

/// A core and the buffer behind it.
struct Memory {
  std::size_t align;
  std::size_t buffer_at;
  std::size_t bytes;

  Memory(const ElementOps& ops, std::size_t capacity) noexcept
      : align(std::max<std::size_t>(ops.align, alignof(ChanCore))),
        buffer_at((sizeof(ChanCore) + align - 1) / align * align),
        bytes(buffer_at + capacity * ops.size) {}

  bool is_pooled() const noexcept { return align <= rt::BlockPool::kStep; }
  void* allocate() const {
    return is_pooled() ? rt::BlockPool::allocate(bytes) : ::operator new (bytes, std::align_val_t{align});
  }
  void release(void* memory) const noexcept {
    if (is_pooled()) return rt::BlockPool::release(memory, bytes);
    ::operator delete (memory, std::align_val_t{align});
  }
};

}  // namespace

void Peer::complete(const ElementOps& ops) noexcept {
  DEGU_RACE_POINT();
  if (from_ != nullptr) move_element(ops, to_, from_);
  waiter_->ok = true;
  rt::wake_any(waiter_->ticket);
}

ChanCore* chan_make(const ElementOps& ops, std::size_t capacity) {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 40;
  if (capacity >= UINT32_MAX || capacity > kMaxBytes / ops.size) {
    throw Error(Code::kInvalidArgument, "make_chan: capacity " + std::to_string(capacity) + " is too large");
  }
  const Memory memory(ops, capacity);
  void* const at = memory.allocate();
  return ::new (at)
      ChanCore(static_cast<uint32_t>(capacity), static_cast<std::byte*>(at) + memory.buffer_at, ops);
}

void chan_destroy(ChanCore* core) noexcept {
  const ElementOps& ops = core->ops;
  if (ops.destroy != nullptr) {
    for (uint32_t left = count_of(*core); left > 0; --left) {
      ops.destroy(core->at(core->head));
      core->head = next_index(*core, core->head);
    }
  }
  const Memory memory(ops, core->capacity);
  core->~ChanCore();
  memory.release(core);
}

Outcome chan_send_locked(ChanCore& core, void* element, Peer& peer) noexcept {
  return send_step(core, element, peer);
}
Outcome chan_recv_locked(ChanCore& core, void* slot, Peer& peer) noexcept {
  return recv_step(core, slot, peer);
}

// Here and in chan_recv(): words between goroutines that nothing else can wake. All the rest is in functions apart, to
// which these jump, so that they keep nothing across a call and save no registers.
void chan_send(ChanCore* core, void* element) {
  if (core == nullptr) [[unlikely]]
    wait_forever(rt::WaitReason::kChanSend);
  rt::sim_enter(core->home);
  if (!core->lock.lock_unless_held()) [[unlikely]]
    return chan_send_contended(*core, element);
  const uint32_t word = core->ops.word;
  if (word == 0 || core->closed.load(std::memory_order_relaxed)) return chan_send_any(*core, element);
  if (Waiter* receiver = core->receivers.pop_sole(); receiver != nullptr) {
    core->lock.unlock();
    return hand_over(receiver, word, static_cast<ChanWaiter*>(receiver)->slot, element);
  }
  if (!core->receivers.empty()) return chan_send_any(*core, element);
  if (count_of(*core) == core->capacity) return chan_send_waiting(*core, element);
  copy_word(word, core->at(core->tail), element);
  core->tail = next_index(*core, core->tail);
  core->count.store(count_of(*core) + 1, std::memory_order_release);
  core->lock.unlock();
}

bool chan_try_send(ChanCore* core, void* element) {
  if (core != nullptr) rt::sim_enter(core->home);
  if (core == nullptr || !core->send_hint()) return false;
  DEGU_RACE_POINT();
  Peer peer;
  core->lock.lock();
  const Outcome outcome = send_step(*core, element, peer);
  core->lock.unlock();
  if (outcome == Outcome::kClosed) throw_send_on_closed();
  peer.finish(core->ops);
  return outcome == Outcome::kDone;
}

bool chan_recv(ChanCore* core, void* slot) {
  if (core == nullptr) [[unlikely]]
    wait_forever(rt::WaitReason::kChanRecv);
  rt::sim_enter(core->home);
  if (!core->lock.lock_unless_held()) [[unlikely]]
    return chan_recv_contended(*core, slot);
  const uint32_t word = core->ops.word;
  if (count_of(*core) > 0) {
    if (word == 0 || !core->senders.empty()) return chan_recv_any(*core, slot);
    copy_word(word, slot, core->at(core->head));
    core->head = next_index(*core, core->head);
    core->count.store(count_of(*core) - 1, std::memory_order_release);
    core->lock.unlock();
    return true;
  }
  if (core->senders.empty()) {
    if (!core->closed.load(std::memory_order_relaxed)) return chan_recv_waiting(*core, slot);
    core->lock.unlock();
    return false;
  }
  Waiter* sender = word != 0 ? core->senders.pop_sole() : nullptr;
  if (sender == nullptr) return chan_recv_any(*core, slot);
  core->lock.unlock();
  hand_over(sender, word, slot, static_cast<ChanWaiter*>(sender)->slot);
  return true;
}

Outcome chan_try_recv(ChanCore* core, void* slot) {
  if (core != nullptr) rt::sim_enter(core->home);
  if (core == nullptr || !core->recv_hint()) return Outcome::kBlocked;
  DEGU_RACE_POINT();
  Peer peer;
  core->lock.lock();
  const Outcome outcome = recv_step(*core, slot, peer);
  core->lock.unlock();
  peer.finish(core->ops);
  return outcome;
}

void chan_close(ChanCore* core) {
  if (core == nullptr) throw Error(Code::kFailedPrecondition, "close of nil channel");
  rt::sim_enter(core->home);
  core->lock.lock();
  if (core->closed.load(std::memory_order_relaxed)) {
    core->lock.unlock();
    throw Error(Code::kFailedPrecondition, "close of closed channel");
  }
  core->closed.store(true, std::memory_order_release);
  // Their `ok` is false already.
  Waiter* receivers = core->receivers.pop_all_claimed();
  Waiter* senders = core->senders.pop_all_claimed();
  core->lock.unlock();
  DEGU_RACE_POINT();
  wake_all(receivers);
  wake_all(senders);
}

void throw_send_on_closed() { throw Error(Code::kFailedPrecondition, "send on closed channel"); }

}  // namespace degu::sync_internal
