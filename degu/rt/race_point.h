// DEGU_RACE_POINT: marks a place where another thread's step in between matters. Tests compile the runtime a
// second time with DEGU_RACE_POINTS=1; there each point may yield or spin, by seed. Elsewhere it is nothing.
#pragma once

#ifdef DEGU_RACE_POINTS
#include <cstdint>
namespace degu::rt {
/// Seeds the decisions of all race points from now on; 0 turns them off. Thread-safe.
void seed_race_points(uint64_t seed) noexcept;
void race_point() noexcept;
}  // namespace degu::rt
#define DEGU_RACE_POINT() ::degu::rt::race_point()
#else
#define DEGU_RACE_POINT() static_cast<void>(0)
#endif
