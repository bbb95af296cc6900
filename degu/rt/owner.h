// Owner: what primitives leave behind so that the search for deadlocks (deadlock.h) can tell who holds what.
#pragma once

#include <degu/rt/park.h>

#include <cstddef>
#include <cstdint>

namespace degu::rt {

/// Names the caller by the page that its frame lies in: one shift, no thread-local. The search maps it to the
/// goroutine whose stack that is; frames of foreign threads map to none. 0 is nobody. The 32 bits repeat every
/// 16 TiB, far more than all stacks span.
[[gnu::always_inline]] inline uint32_t owner_mark() noexcept {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) >> 12);
}

/// Goroutines that park for `reason` wait for whoever is named by the owner_mark() kept `offset` bytes into
/// the object that they gave to park(). Called while the program is initialised.
void set_owner_offset(WaitReason reason, std::size_t offset) noexcept;

/// The calling goroutine is one that a wait on `group` (the object given to park()) waits for, until it ends.
void set_joins(const void* group) noexcept;

}  // namespace degu::rt
