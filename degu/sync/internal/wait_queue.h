// WaitQueue: the FIFO of goroutines that wait on one object. Its records live on the waiters' stacks.
#pragma once

#include <degu/base/time.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>

#include <atomic>
#include <cstdint>

namespace degu::sync_internal {

/// One goroutine in one queue. All fields but `ticket` are guarded by the lock of the queue's object. After
/// the record has been popped and claimed it belongs to the waker until that calls rt::wake(); popped but not
/// claimed, to nobody.
struct Waiter {
  Waiter* next;
  Waiter* prev;
  rt::Ticket ticket;
  uint16_t tag;  // what a waker claims the ticket with
  bool linked;
};

/// Doubly linked, so that an interrupted waiter leaves in O(1). Guarded by the owner's lock, except
/// empty_hint().
class WaitQueue {
 public:
  constexpr WaitQueue() noexcept = default;
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  /// May be called without the lock; what it says may be old then. acquire pairs with the releases of push
  /// and remove, so that who sees an empty queue also sees what the last waker did before it emptied it.
  bool empty_hint() const noexcept { return head_.load(std::memory_order_acquire) == nullptr; }
  bool empty() const noexcept { return head_.load(std::memory_order_relaxed) == nullptr; }
  Waiter* front() const noexcept { return head_.load(std::memory_order_relaxed); }

  void push_back(Waiter* w) noexcept {
    w->next = nullptr;
    w->prev = tail_;
    w->linked = true;
    if (tail_ != nullptr) {
      tail_->next = w;
    } else {
      head_.store(w, std::memory_order_release);
    }
    tail_ = w;
  }

  void push_front(Waiter* w) noexcept {
    Waiter* head = front();
    w->prev = nullptr;
    w->next = head;
    w->linked = true;
    if (head != nullptr) {
      head->prev = w;
    } else {
      tail_ = w;
    }
    head_.store(w, std::memory_order_release);
  }

  /// Unlinks `w` if it is linked.
  void remove(Waiter* w) noexcept {
    if (!w->linked) return;
    w->linked = false;
    if (w->prev != nullptr) {
      w->prev->next = w->next;
    } else {
      head_.store(w->next, std::memory_order_release);
    }
    if (w->next != nullptr) {
      w->next->prev = w->prev;
    } else {
      tail_ = w->prev;
    }
  }

  /// Unlinks waiters from the front until one could be claimed, and returns that one; null when none is left.
  /// Those that were interrupted meanwhile find themselves unlinked.
  Waiter* pop_claimed() noexcept {
    while (Waiter* w = front()) {
      remove(w);
      if (rt::claim_any(w->ticket, w->tag)) return w;
    }
    return nullptr;
  }

  /// Unlinks the first one if nothing but this queue can end its wait; null if not, or if there is none.
  Waiter* pop_sole() noexcept {
    Waiter* w = front();
    if (w == nullptr || w->ticket.seq != rt::kSoleSeq) return nullptr;
    Waiter* second = w->next;
    w->linked = false;
    (second != nullptr ? second->prev : tail_) = nullptr;
    head_.store(second, std::memory_order_release);
    return w;
  }

  /// Claims all; returns those claimed as a list through `next`, in order.
  Waiter* pop_all_claimed() noexcept {
    Waiter* first = nullptr;
    Waiter** link = &first;
    while (Waiter* w = pop_claimed()) {
      w->next = nullptr;
      *link = w;
      link = &w->next;
    }
    return first;
  }

 private:
  std::atomic<Waiter*> head_{nullptr};
  Waiter* tail_ = nullptr;
};

/// Wakes a claimed list. The records are gone afterwards.
inline void wake_all(Waiter* first) noexcept {
  while (first != nullptr) {
    const rt::Ticket ticket = first->ticket;
    first = first->next;
    rt::wake_any(ticket);
  }
}

/// Scope of an rt::Lock, as std::lock_guard without <mutex>.
class LockGuard {
 public:
  explicit LockGuard(rt::Lock& lock) noexcept : lock_(lock) { lock_.lock(); }
  ~LockGuard() { lock_.unlock(); }
  LockGuard(const LockGuard&) = delete;
  LockGuard& operator=(const LockGuard&) = delete;

 private:
  rt::Lock& lock_;
};

}  // namespace degu::sync_internal
