// RunQueue: a P's queue of runnable goroutines. The owner pushes and pops, thieves take half. After Go's
// runtime/proc.go (runqput, runqget, runqgrab).
#pragma once

#include <degu/rt/race_point.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace degu::rt {

struct G;

/// A ring of 256. `head` is moved by CAS (owner and thieves), `tail` only by the owner.
class RunQueue {
 public:
  static constexpr uint32_t kCapacity = 256;

  /// Owner. False when full.
  bool push(G* g) noexcept {
    const uint32_t head =
        head_.load(std::memory_order_acquire);  // pairs with the CAS of takers: their slots are free
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head >= kCapacity) return false;
    DEGU_RACE_POINT();
    slots_[tail % kCapacity].store(g, std::memory_order_relaxed);
    // seq_cst: the pusher then looks for spinning threads, a thread going idle looks here; one must see the
    // other.
    tail_.store(tail + 1, std::memory_order_seq_cst);
    return true;
  }

  /// Owner. Null when empty.
  G* pop() noexcept {
    uint32_t head = head_.load(std::memory_order_acquire);
    while (true) {
      const uint32_t tail = tail_.load(std::memory_order_relaxed);
      if (tail == head) return nullptr;
      G* g = slots_[head % kCapacity].load(std::memory_order_relaxed);
      DEGU_RACE_POINT();
      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_acq_rel, std::memory_order_acquire))
        return g;
    }
  }

  /// Owner, when full: takes half out into `out` (kCapacity / 2 entries). False if thieves were faster.
  bool take_half(G** out) noexcept {
    uint32_t head = head_.load(std::memory_order_acquire);
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head < kCapacity / 2) return false;
    for (uint32_t i = 0; i < kCapacity / 2; ++i) {
      out[i] = slots_[(head + i) % kCapacity].load(std::memory_order_relaxed);
    }
    return head_.compare_exchange_strong(head, head + kCapacity / 2, std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }

  /// Thief: copies half (rounded up) to `out` (kCapacity / 2 entries) and returns how many.
  uint32_t steal(G** out) noexcept {
    while (true) {
      uint32_t head = head_.load(std::memory_order_acquire);
      const uint32_t tail = tail_.load(std::memory_order_acquire);  // pairs with push: the slots are written
      uint32_t count = tail - head;
      count -= count / 2;
      if (count == 0) return 0;
      if (count > kCapacity / 2) continue;  // head and tail were read at different moments
      for (uint32_t i = 0; i < count; ++i)
        out[i] = slots_[(head + i) % kCapacity].load(std::memory_order_relaxed);
      DEGU_RACE_POINT();
      if (head_.compare_exchange_weak(head, head + count, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        return count;
      }
    }
  }

  /// Anyone; stale at once, but ordered (seq_cst) for the idle protocol.
  bool empty() const noexcept {
    return head_.load(std::memory_order_seq_cst) == tail_.load(std::memory_order_seq_cst);
  }
  uint32_t size() const noexcept {
    const uint32_t head = head_.load(std::memory_order_acquire);
    return tail_.load(std::memory_order_acquire) - head;
  }

 private:
  alignas(64) std::atomic<uint32_t> head_{0};
  alignas(64) std::atomic<uint32_t> tail_{0};
  std::array<std::atomic<G*>, kCapacity> slots_{};
};

}  // namespace degu::rt
