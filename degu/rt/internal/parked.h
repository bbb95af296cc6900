// Parked: does a goroutine wait, as somebody else sees it?
#pragma once

#include <degu/rt/internal/sched.h>

#include <cstdint>

namespace degu::rt {

/// A goroutine with this wait word and status kWaiting is off its stack and nobody has ended its wait. Either the wait
/// may be claimed and has not been, or it never could be (waits that only the holder of one lock ends are claimed and
/// done from the start). The second kind looks the same for an instant after its end, until the status changes: look
/// twice.
inline bool is_parked(uint64_t word) noexcept {
  return (word & kWaitParked) != 0 && ((word & kWaitClaimed) == 0 || (word & kWaitSole) != 0);
}

inline bool is_parked(const G& g) noexcept {
  return is_parked(g.wait_word.load(std::memory_order_acquire)) &&
         g.status.load(std::memory_order_relaxed) == Status::kWaiting;
}

}  // namespace degu::rt
