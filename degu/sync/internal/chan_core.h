// ChanCore: the type-erased channel behind Chan<T>. Only <degu/sync/chan.h> and select use it.
#pragma once

#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/rt/sim_point.h>
#include <degu/sync/internal/wait_queue.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace degu::sync_internal {

/// What a channel must know of its elements. Both functions are null for trivially copyable ones.
struct ElementOps {
  uint32_t size;
  uint32_t align;
  uint32_t word;  // 4 or 8: that many bytes to be copied are all there is to it; else 0
  void (*move)(void* to, void* from) noexcept;  // move-constructs *to; *from stays to be destroyed
  void (*destroy)(void* element) noexcept;
};

template <class S>
inline constexpr ElementOps kElementOps = [] {
  static_assert(std::is_nothrow_move_constructible_v<S>);
  ElementOps ops{static_cast<uint32_t>(sizeof(S)), static_cast<uint32_t>(alignof(S)), 0, nullptr, nullptr};
  if constexpr (std::is_trivially_copyable_v<S>) {
    ops.word = sizeof(S) == 4 || sizeof(S) == 8 ? sizeof(S) : 0;
  } else {
    ops.move = [](void* to, void* from) noexcept { ::new (to) S(std::move(*static_cast<S*>(from))); };
    ops.destroy = [](void* element) noexcept { static_cast<S*>(element)->~S(); };
  }
  return ops;
}();

/// A waiting sender or receiver. `slot`: the sender's element, or the receiver's raw storage. `ok`, set by
/// the waker: an element has passed; false: the channel was closed.
struct ChanWaiter : Waiter {
  void* slot;
  bool ok;
};

/// Fields are guarded by `lock`; the atomics may be read without it, see the hints below.
struct ChanCore {
  std::atomic<uint32_t> handles{1};
  rt::Lock lock;
  std::atomic<uint32_t> count{0};  // release under the lock, pairs with the acquire of the hints
  const uint32_t capacity;
  uint32_t head = 0;  // oldest element
  uint32_t tail = 0;  // first free place
  std::atomic<bool> closed{false};
  std::byte* const buffer;
  const ElementOps& ops;
  const rt::World* const home = rt::home_of_new_objects();
  WaitQueue receivers;
  WaitQueue senders;

  ChanCore(uint32_t cap, std::byte* elements, const ElementOps& element_ops) noexcept
      : capacity(cap), buffer(elements), ops(element_ops) {}

  void* at(uint32_t index) const noexcept { return buffer + static_cast<std::size_t>(index) * ops.size; }

  /// False: at one instant during the call a send (receive) would have had to wait. As a closed channel never
  /// opens again, `closed` is read after the other fields (chan.go, chanrecv).
  /// Without a look at the capacity: receivers wait only while nothing is buffered, senders only while all is.
  bool send_hint() const noexcept {
    return !receivers.empty_hint() || count.load(std::memory_order_acquire) != capacity ||
           closed.load(std::memory_order_acquire);
  }
  bool recv_hint() const noexcept {
    return count.load(std::memory_order_acquire) != 0 || !senders.empty_hint() ||
           closed.load(std::memory_order_acquire);
  }
};

enum class Outcome : uint8_t { kDone, kClosed, kBlocked };

/// The waiter on the other side that an operation has claimed, and the move between the two that is still to
/// be made.
class Peer {
 public:
  /// `from` null: the element has been moved already.
  void meet(ChanWaiter* claimed, void* from, void* to) noexcept {
    waiter_ = claimed;
    from_ = from;
    to_ = to;
  }

  /// Moves the element and wakes the waiter. Called after the channel's lock was released, so that the move
  /// of a user's type does not run under it: a claimed waiter cannot leave.
  void finish(const ElementOps& ops) noexcept {
    if (waiter_ != nullptr) complete(ops);
  }

 private:
  void complete(const ElementOps& ops) noexcept;

  ChanWaiter* waiter_ = nullptr;
  void* from_;
  void* to_;
};

ChanCore* chan_make(const ElementOps& ops, std::size_t capacity);
void chan_destroy(ChanCore* core) noexcept;

inline void chan_ref(ChanCore* core) noexcept {
  if (core != nullptr) core->handles.fetch_add(1, std::memory_order_relaxed);
}
inline void chan_unref(ChanCore* core) noexcept {
  // acq_rel: the last handle sees what all others did to the elements.
  if (core != nullptr && core->handles.fetch_sub(1, std::memory_order_acq_rel) == 1) chan_destroy(core);
}

/// `element` is moved from if the call succeeds, untouched if it throws or returns false.
void chan_send(ChanCore* core, void* element);
bool chan_try_send(ChanCore* core, void* element);
/// `slot` is raw storage; filled on true (kDone).
bool chan_recv(ChanCore* core, void* slot);
Outcome chan_try_recv(ChanCore* core, void* slot);
void chan_close(ChanCore* core);

/// One step with core.lock held.
Outcome chan_send_locked(ChanCore& core, void* element, Peer& peer) noexcept;
Outcome chan_recv_locked(ChanCore& core, void* slot, Peer& peer) noexcept;

[[noreturn]] void throw_send_on_closed();

}  // namespace degu::sync_internal
