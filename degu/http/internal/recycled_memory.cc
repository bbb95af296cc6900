#include <degu/http/internal/recycled_memory.h>

#include <cstdlib>

namespace degu::http::internal {

// In front of what the user gets.
struct alignas(std::max_align_t) RecycledMemory::Block {
  std::size_t bytes;
};

RecycledMemory::~RecycledMemory() {
  for (std::size_t i = 0; i < kept_count_; ++i) std::free(kept_[i]);
}

// The first that fits without wasting more than half of it.
RecycledMemory::Block* RecycledMemory::take(std::size_t bytes) noexcept {
  for (std::size_t i = kept_count_; i-- > 0;) {
    Block* block = kept_[i];
    if (block->bytes < bytes || block->bytes / 2 > bytes) continue;
    kept_[i] = kept_[--kept_count_];
    kept_bytes_ -= block->bytes;
    return block;
  }
  return nullptr;
}

void* RecycledMemory::allocate(std::size_t bytes) noexcept {
  if (bytes > limit_ || used_bytes_ > limit_ - bytes) {
    refused_ = true;
    return nullptr;
  }
  Block* block = take(bytes);
  if (block == nullptr) {
    block = static_cast<Block*>(std::malloc(sizeof(Block) + bytes));
    if (block == nullptr) return nullptr;
    block->bytes = bytes;
  }
  used_bytes_ += block->bytes;
  return block + 1;
}

void RecycledMemory::free(void* memory) noexcept {
  if (memory == nullptr) return;
  Block* block = static_cast<Block*>(memory) - 1;
  used_bytes_ -= block->bytes;
  if (kept_count_ == kMaxKept || block->bytes > kMaxKeptBytes - kept_bytes_) {
    std::free(block);
    return;
  }
  kept_[kept_count_++] = block;
  kept_bytes_ += block->bytes;
}

}  // namespace degu::http::internal
