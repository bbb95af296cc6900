// Stack: goroutine stacks from large reservations, a guard below each, pooled by size class.
#pragma once

#include <degu/rt/internal/switch.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace degu::rt {

/// Usable memory is [low, low + size); an access below `low` hits the guard. `low == nullptr`: none.
struct Stack {
  char* low = nullptr;
  uint32_t size = 0;
  uint8_t size_class = 0;
#ifdef DEGU_TSAN
  void* tsan_fiber = nullptr;  // its record of the stack, kept with it as it is dear to make
#endif

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
/// At least one and at most `want`, with fewer system calls; returns how many. The one used last comes first.
std::size_t stack_allocate(uint8_t size_class, Stack* out, std::size_t want) noexcept;
/// Gives stacks back to the depot. Thread-safe.
void stack_release(const Stack* stacks, std::size_t count) noexcept;

/// One that is never given back, nor counted as in use. Thread-safe.
void stack_forget() noexcept;

/// Bytes from the lowest page that has memory to the top: what has been used of it since stack_drop(). A system call.
std::size_t stack_touched(const Stack& stack) noexcept;
/// Gives the memory of a stack that nobody uses back to the system; false if it could not.
bool stack_drop(const Stack& stack) noexcept;

/// Gives back the memory of half of the pooled stacks that were not needed since the last call, at most 1,024 of a
/// class; returns how many. Called now and then, it lets the memory of a burst fade. Thread-safe.
std::size_t stack_trim() noexcept;

/// How many are allocated and not released. Exact while nobody does either.
std::size_t stacks_in_use() noexcept;

/// True if `address` lies in a guard; then *stack is the stack above it. Safe in a signal handler.
bool stack_guard_hit(const void* address, Stack* stack) noexcept;

}  // namespace degu::rt
