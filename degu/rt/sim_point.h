// sim_point: where a simulation may let another goroutine run first. Every primitive has one at its entry, before it
// has touched anything.
#pragma once

#include <degu/base/time.h>

#include <atomic>

namespace degu::rt {

class World;

namespace internal {
/// A simulation or a bubble of virtual time exists in the process.
inline constinit std::atomic<bool> worlds_exist{false};
void sim_point_slow() noexcept;
void sim_also_slow(const World* home);

/// In a simulation sim_point() does nothing while one exists: for what starts goroutines with a lock of the runtime held,
/// off the hot paths.
class HeldPoints {
 public:
  HeldPoints() noexcept;
  ~HeldPoints();
  HeldPoints(const HeldPoints&) = delete;
  HeldPoints& operator=(const HeldPoints&) = delete;

 private:
  const bool counted_;
};
}  // namespace internal

/// One relaxed load of a word that never changes in production, and a branch. No lock of the runtime may be held.
inline void sim_point() noexcept {
  if (internal::worlds_exist.load(std::memory_order_relaxed)) [[unlikely]]
    internal::sim_point_slow();
}

/// sim_point(), then now(), for the price of the latter: where timers are set.
inline TimePoint sim_point_now() noexcept {
  const base_internal::Clock hook = base_internal::clock_hook.load(std::memory_order_relaxed);
  if (hook == nullptr) [[likely]]
    return real_now();
  internal::sim_point_slow();
  return hook();
}

/// For a primitive that uses objects which belong to where they were made, null or a world: called for each of them,
/// after sim_point() and before anything was touched. Throws Error(kFailedPrecondition) when the object of one world
/// is used in another one or in none.
inline void sim_also(const World* home) {
  if (internal::worlds_exist.load(std::memory_order_relaxed)) [[unlikely]]
    internal::sim_also_slow(home);
}

/// Both, for one object.
inline void sim_enter(const World* home) {
  if (internal::worlds_exist.load(std::memory_order_relaxed)) [[unlikely]] {
    internal::sim_point_slow();
    internal::sim_also_slow(home);
  }
}

/// What an object made by the caller belongs to; null outside of simulations and bubbles.
const World* home_of_new_objects() noexcept;

}  // namespace degu::rt
