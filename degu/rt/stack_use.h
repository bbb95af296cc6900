// StackUse: how much of their stacks goroutines use, by the place that starts them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace degu::rt {

struct G;

/// Measures one goroutine in `one_in` from now on; 0, the default: none. A measured goroutine starts on a stack without
/// memory and its pages are counted at its end: some microseconds and page faults each. Costs the others nothing.
/// Calls inside with_stack() are not counted. Thread-safe.
void watch_stacks(uint32_t one_in) noexcept;

/// The goroutines that one place has started and that were measured and have ended.
struct StackUse {
  uintptr_t site = 0;  ///< a program counter in the call of go(): see symbolize.h
  uint64_t goroutines = 0;
  std::size_t max_bytes = 0;    ///< used by the hungriest, in whole pages
  std::size_t stack_bytes = 0;  ///< what it had
  std::size_t suggested_bytes =
      0;  ///< for GoOptions::stack_bytes: the smallest size with half of it to spare
};

/// The hungriest place first. Thread-safe.
std::vector<StackUse> stack_uses();

/// As text: function, file and line of each place, goroutines, use and suggestion. Looks up symbols.
std::string stack_report();

// --- for the scheduler

inline std::atomic<uint32_t> stack_watch_one_in{0};
/// The goroutine is about to start on its stack; true: call end_stack_watch() before the stack is given back.
bool begin_stack_watch(const G& g) noexcept;
void end_stack_watch(const G& g) noexcept;

}  // namespace degu::rt
