// Contention: what park() and ready() tell the block and mutex profiles while one of them is on.
#pragma once

#include <degu/rt/park.h>

#include <atomic>
#include <cstdint>

namespace degu::rt {

/// Not 0: a profile is on. Relaxed: a wait that begins or ends as it changes is counted or not.
inline std::atomic<uint32_t> contention_profiles{0};
inline bool contention_profiled() noexcept {
  return contention_profiles.load(std::memory_order_relaxed) != 0;
}

/// The wait of `g` is over: it is off its stack and about to be queued. Called by what ready() continues in.
void record_ready(const G& g) noexcept;

}  // namespace degu::rt
