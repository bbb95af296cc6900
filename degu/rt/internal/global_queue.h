// GlobalQueue: a FIFO of runnable goroutines for all Ps, guarded by the scheduler's lock. It holds pointers and does not
// touch the records: they are on other CPUs' caches, or out of all, and whoever pushed or pops hundreds of them under
// the lock would wait for each.
#pragma once

#include <degu/base/assert.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

namespace degu::rt {

struct G;

class GlobalQueue {
 public:
  GlobalQueue() noexcept = default;
  ~GlobalQueue() { drop(); }
  GlobalQueue(const GlobalQueue&) = delete;
  GlobalQueue& operator=(const GlobalQueue&) = delete;

  uint32_t size() const noexcept { return size_; }

  void push(G* g) noexcept { push(&g, 1); }
  void push(G* const* gs, uint32_t count) noexcept {
    if (size_ + count > capacity_) grow(size_ + count);
    for (uint32_t i = 0; i < count; ++i) ring_[(head_ + size_ + i) & (capacity_ - 1)] = gs[i];
    size_ += count;
  }

  /// The oldest ones, at most `max`; returns how many.
  uint32_t pop(G** out, uint32_t max) noexcept {
    const uint32_t count = std::min(max, size_);
    for (uint32_t i = 0; i < count; ++i) out[i] = ring_[(head_ + i) & (capacity_ - 1)];
    head_ = (head_ + count) & (capacity_ - 1);
    size_ -= count;
    if (size_ == 0 && capacity_ > kKept) drop();
    return count;
  }

 private:
  static constexpr uint32_t kLeast = 1024;
  static constexpr uint32_t kKept = 16'384;

  // From the system, to which all goes back: malloc would keep what a million goroutines took.
  void grow(uint32_t wanted) noexcept {
    uint32_t capacity = std::max(kLeast, capacity_);
    while (capacity < wanted) capacity *= 2;
    void* memory =
        ::mmap(nullptr, capacity * sizeof(G*), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    DEGU_CHECK(memory != MAP_FAILED, "no memory to queue {} goroutines", wanted);
    auto** ring = static_cast<G**>(memory);
    const uint32_t size = size_;
    for (uint32_t i = 0; i < size; ++i) ring[i] = ring_[(head_ + i) & (capacity_ - 1)];
    drop();
    ring_ = ring;
    capacity_ = capacity;
    size_ = size;
  }

  void drop() noexcept {
    if (ring_ != nullptr) ::munmap(ring_, capacity_ * sizeof(G*));
    ring_ = nullptr;
    capacity_ = head_ = size_ = 0;
  }

  G** ring_ = nullptr;
  uint32_t capacity_ = 0;  // a power of two, or 0
  uint32_t head_ = 0;
  uint32_t size_ = 0;
};

}  // namespace degu::rt
