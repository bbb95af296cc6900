// Leaks: goroutines, stacks, descriptors and contexts that somebody left behind. For tests, which use them through
// testing/leak_check.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace degu::rt {

/// The numbers of all goroutines that exist, in order.
std::vector<uint64_t> living_goroutines();

struct Leftovers {
  std::size_t count = 0;
  std::string text;  ///< each with its state, its stack and who started it
};

/// The goroutines that exist and are not in `known` (in order), but for the caller. First lets them end: returns at
/// once when there are none or when no goroutine, timer or descriptor can wake them, else after `patience`. Called in a
/// goroutine; does not observe the context.
Leftovers goroutines_left(const std::vector<uint64_t>& known, std::chrono::nanoseconds patience);

struct Resources {
  std::size_t stacks = 0;       ///< that goroutines or Ps have
  std::size_t descriptors = 0;  ///< that are open
  std::size_t contexts = 0;     ///< cancel nodes; counted in debug builds, else 0
};

/// Exact while no scheduler runs.
Resources resources_in_use();

}  // namespace degu::rt
