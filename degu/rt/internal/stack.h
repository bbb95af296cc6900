// Stack: goroutine stacks from large reservations, a guard below each, pooled by size class.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace degu::rt {

/// Usable memory is [low, low + size); an access below `low` hits the guard. `low == nullptr`: none.
struct Stack {
  char* low = nullptr;
  std::size_t size = 0;
  uint8_t size_class = 0;
  void* tsan_fiber =
      nullptr;  // under ThreadSanitizer: its record of the stack, kept with it as it is dear to make

  char* top() const noexcept { return low + size; }
  bool contains(const void* p) const noexcept { return p >= low && p < low + size; }
};

inline constexpr std::array<std::size_t, 4> kStackClasses{64 * 1024, 256 * 1024, 1024 * 1024,
                                                          8 * 1024 * 1024};
inline constexpr uint8_t kDefaultStackClass = 1;

/// The smallest class of at least `bytes`; 0 bytes is the default. More than the largest class is a failed
/// check.
uint8_t stack_class(std::size_t bytes) noexcept;

/// The last used stack of the class, or a fresh one. Ends the process with a message when the kernel has no
/// more. Thread-safe.
Stack stack_allocate(uint8_t size_class) noexcept;
/// Gives stacks back to the depot. Thread-safe.
void stack_release(const Stack* stacks, std::size_t count) noexcept;

/// True if `address` lies in a guard; then *stack is the stack above it. Safe in a signal handler.
bool stack_guard_hit(const void* address, Stack* stack) noexcept;

}  // namespace degu::rt
