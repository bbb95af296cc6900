// LocalQueue: what a P is to run. Four parts, in the order in which the owner takes from them:
//
//   next    the goroutine that was woken last; it runs next, as what it was sent is still in the cache. At most
//           kMaxStreak in a row, so that a pair that wakes each other cannot starve the rest.
//   ready   a FIFO of the other woken ones.
//   fresh   a LIFO of goroutines that have not run yet: depth first, so that a tree of goroutines needs stacks for
//           its depth and not for its breadth.
//   yielded a FIFO of those that let all others go first.
//
// Every kTurnEvery-th turn is that of `fresh`, and of `yielded`, whatever is before them. The oldest of `fresh` gets
// its turn by time, from the scheduler's loop: a turn by count would open the tree at its root again and again, until
// its breadth was in memory. Thieves take the older halves.
#pragma once

#include <degu/rt/internal/owner_lock.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace degu::rt {

struct G;

class LocalQueue {
 public:
  static constexpr uint32_t kCapacity = 256;  // of each part
  static constexpr uint32_t kHalf = kCapacity / 2;
  static constexpr uint32_t kMaxStolen = 3 * kHalf;
  static constexpr uint32_t kMaxTaken = 3 * kCapacity + 1;
  static constexpr uint32_t kMaxStreak = 3;
  static constexpr uint32_t kTurnEvery = 16;

  /// Where the queue stood: has all that was in it then been taken since?
  struct Mark {
    uint32_t next = 0;
    uint32_t ready = 0;
    uint32_t yielded = 0;
    uint32_t fresh = 0;
  };

  // --- the owner's. Each push returns false, and does nothing, when a part is full: shed() first.
  bool push_next(G* g) noexcept {
    lock_.lock();
    G* former = next_.load(std::memory_order_relaxed);
    const bool fits = former == nullptr || ready_.push(former);
    if (fits) {
      next_.store(g, std::memory_order_relaxed);
      bump(next_count_);
    }
    lock_.unlock();
    return fits;
  }
  bool push_ready(G* g) noexcept {
    lock_.lock();
    const bool fits = ready_.push(g);
    lock_.unlock();
    return fits;
  }
  bool push_yielded(G* g) noexcept {
    lock_.lock();
    const bool fits = yielded_.push(g);
    lock_.unlock();
    return fits;
  }
  bool push_fresh(G* g) noexcept {
    lock_.lock();
    const bool fits = fresh_.push(g);
    lock_.unlock();
    return fits;
  }

  /// Takes the older half of each full part; returns how many. `out` has room for kMaxStolen.
  uint32_t shed(G** out) noexcept {
    lock_.lock();
    uint32_t count = 0;
    for (Ring* ring : {&ready_, &yielded_, &fresh_}) {
      if (ring->size() == kCapacity) count += ring->take_half(out + count);
    }
    lock_.unlock();
    return count;
  }

  /// Null when empty.
  [[gnu::always_inline]] G* take() noexcept {
    lock_.lock();
    G* g = take_next();
    if (g == nullptr) g = take_queued();
    lock_.unlock();
    return g;
  }

  /// The fresh one that has waited for longest; null when there is none.
  G* take_oldest_fresh() noexcept {
    lock_.lock();
    G* g = fresh_.size() != 0 ? fresh_.pop_oldest() : nullptr;
    lock_.unlock();
    return g;
  }

  // --- everybody's
  /// Takes the older half, and `next` if nothing else is there; returns how many. `out` has room for kMaxStolen.
  uint32_t steal(G** out) noexcept {
    if (!lock_.try_lock_other()) return 0;
    uint32_t count = fresh_.take_half(out);
    count += ready_.take_half(out + count);
    count += yielded_.take_half(out + count);
    if (count == 0) {
      if (G* g = next_.load(std::memory_order_relaxed); g != nullptr) {
        next_.store(nullptr, std::memory_order_relaxed);
        out[count++] = g;
      }
    }
    lock_.unlock_other();
    return count;
  }

  /// Takes all; returns how many. `out` has room for kMaxTaken.
  uint32_t steal_all(G** out) noexcept {
    if (!lock_.try_lock_other()) return 0;
    uint32_t count = 0;
    for (Ring* ring : {&fresh_, &ready_, &yielded_}) {
      for (uint32_t left = ring->size(); left > 0; --left) out[count++] = ring->pop_oldest();
    }
    if (G* g = next_.load(std::memory_order_relaxed); g != nullptr) {
      next_.store(nullptr, std::memory_order_relaxed);
      out[count++] = g;
    }
    lock_.unlock_other();
    return count;
  }

  /// Stale at once.
  uint32_t size() const noexcept {
    return queued() + (next_.load(std::memory_order_relaxed) != nullptr ? 1 : 0);
  }
  bool empty() const noexcept { return size() == 0; }

  Mark mark() const noexcept {
    return {next_count_.load(std::memory_order_relaxed), ready_.tail.load(std::memory_order_relaxed),
            yielded_.tail.load(std::memory_order_relaxed), fresh_.head.load(std::memory_order_relaxed)};
  }
  /// Something that was there at the mark may still be there.
  bool waits_since(const Mark& mark) const noexcept {
    return ready_.waits_since(mark.ready) || yielded_.waits_since(mark.yielded) ||
           (fresh_.size() != 0 && fresh_.head.load(std::memory_order_relaxed) == mark.fresh) ||
           (next_.load(std::memory_order_relaxed) != nullptr &&
            next_count_.load(std::memory_order_relaxed) == mark.next);
  }

 private:
  static void bump(std::atomic<uint32_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // The lines of the record that its turn will touch. By numbers: `g` may be null, and a pointer may not move from there.
  static void prefetch(const G* g) noexcept {
    const auto record = reinterpret_cast<uintptr_t>(g);
    for (uintptr_t line = 0; line < 3; ++line)
      __builtin_prefetch(reinterpret_cast<const void*>(record + line * 64), 1);
  }

  // Written under the lock; the indices are read by anybody.
  struct Ring {
    std::atomic<uint32_t> head{0};
    std::atomic<uint32_t> tail{0};
    std::array<G*, kCapacity> slots{};

    uint32_t size() const noexcept {
      return tail.load(std::memory_order_relaxed) - head.load(std::memory_order_relaxed);
    }
    // One that was there when the tail was at `mark`.
    bool waits_since(uint32_t mark) const noexcept {
      return size() != 0 && static_cast<int32_t>(mark - head.load(std::memory_order_relaxed)) > 0;
    }
    bool push(G* g) noexcept {
      const uint32_t end = tail.load(std::memory_order_relaxed);
      if (end - head.load(std::memory_order_relaxed) == kCapacity) [[unlikely]]
        return false;
      slots[end % kCapacity] = g;
      tail.store(end + 1, std::memory_order_relaxed);
      return true;
    }
    G* pop_oldest() noexcept {
      const uint32_t begin = head.load(std::memory_order_relaxed);
      head.store(begin + 1, std::memory_order_relaxed);
      prefetch(slots[(begin + 1) % kCapacity]);
      return slots[begin % kCapacity];
    }
    G* pop_newest() noexcept {
      const uint32_t end = tail.load(std::memory_order_relaxed) - 1;
      G* g = slots[end % kCapacity];
      const bool last = end == head.load(std::memory_order_relaxed);
      // A queue that ran empty is another queue: see waits_since().
      if (last) head.store(end + 1, std::memory_order_relaxed);
      tail.store(last ? end + 1 : end, std::memory_order_relaxed);
      return g;
    }
    uint32_t take_half(G** out) noexcept {
      const uint32_t count = size() - size() / 2;
      for (uint32_t i = 0; i < count; ++i) out[i] = pop_oldest();
      return count;
    }
  };

  [[gnu::always_inline]] G* take_next() noexcept {
    G* g = next_.load(std::memory_order_relaxed);
    if (g == nullptr) return nullptr;
    if (++streak_ > kMaxStreak) {
      if (queued() != 0) return nullptr;
      streak_ = 1;  // nobody was kept waiting
    }
    next_.store(nullptr, std::memory_order_relaxed);
    return g;
  }

  [[gnu::noinline]] G* take_queued() noexcept {
    streak_ = 0;
    const uint32_t turn = ++turn_ % kTurnEvery;
    if (turn == 0 && fresh_.size() != 0) return fresh_.pop_newest();
    if (turn == kTurnEvery / 2 && yielded_.size() != 0) return yielded_.pop_oldest();
    if (ready_.size() != 0) return ready_.pop_oldest();
    if (fresh_.size() != 0) return fresh_.pop_newest();
    return yielded_.size() != 0 ? yielded_.pop_oldest() : nullptr;
  }

  uint32_t queued() const noexcept { return ready_.size() + fresh_.size() + yielded_.size(); }

  OwnerLock lock_;
  uint32_t streak_ = 0;  // taken from next_ in a row
  uint32_t turn_ = 0;
  std::atomic<G*> next_{nullptr};
  std::atomic<uint32_t> next_count_{0};
  Ring ready_;
  Ring yielded_;
  Ring fresh_;
};

}  // namespace degu::rt
