// DEGU_FAULT_POINT: a place where something outside of the program may fail. Simulations make it fail, by seed.
#pragma once

#include <atomic>
#include <string_view>

namespace degu::base_internal {
/// Set while a simulation exists: is the caller in one, and does the point fail there now?
using FaultSource = bool (*)(std::string_view point) noexcept;
inline constinit std::atomic<FaultSource> fault_hook{nullptr};

inline bool fault_fires(std::string_view point) noexcept {
  const FaultSource hook = fault_hook.load(std::memory_order_relaxed);
  return hook != nullptr && hook(point);
}
}  // namespace degu::base_internal

/// False; in a simulation true now and then, as sim::Options::faults says. Costs a load and a branch. `name` is
/// "noun.verb", a literal. FoundationDB's BUGGIFY, for code that should behave well when its surroundings do not:
///
///   if (DEGU_FAULT_POINT("file.write")) return {0, EIO};
#define DEGU_FAULT_POINT(name) (::degu::base_internal::fault_fires(name))
