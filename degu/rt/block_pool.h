// BlockPool: memory for small objects that come and go by the million: timers, channels. From the general allocator they
// would cost more than all the rest: glibc grows the arena of a thread that is not the main one by a system call a page.
#pragma once

#include <cstddef>

namespace degu::rt {

/// Blocks of a few sizes, kept free by thread and, in bundles, in a common depot; what is free stays there. Thread-safe:
/// a block may be released on any thread. Nothing waits but for a short lock once in kBundle calls.
class BlockPool {
 public:
  static constexpr std::size_t kStep = 16;      // sizes are multiples of it
  static constexpr std::size_t kLargest = 128;  // beyond it the general allocator is asked
  static constexpr std::size_t kBundle = 32;
  static constexpr std::size_t kSlab = 64 * 1024;  // bytes that are taken from the general allocator at once

  /// At least `bytes`, aligned to kStep. Throws std::bad_alloc.
  static void* allocate(std::size_t bytes);
  /// `bytes` as for allocate().
  static void release(void* block, std::size_t bytes) noexcept;
};

}  // namespace degu::rt
