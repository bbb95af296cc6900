// Frames: walks of goroutine stacks by frame pointers. Everything is compiled with -fno-omit-frame-pointer, so
// a stack can be walked at any time without any cost beforehand. libgcc's unwinder takes locks and allocates,
// which rules it out in signal handlers (scylladb/seastar#2697).
#pragma once

#include <degu/rt/internal/switch.h>

#include <cstddef>
#include <cstdint>

namespace degu::rt {

struct G;

inline constexpr std::size_t kMaxFrames = 64;

/// Program counters, innermost first. A return address is stored less one, so that it lies in the call.
struct Frames {
  std::size_t count = 0;
  uintptr_t pcs[kMaxFrames];

  void push(uintptr_t pc) noexcept {
    if (count < kMaxFrames) pcs[count++] = pc;
  }
};

/// Appends the callers found from frame pointer `fp` on. Reads only inside [low, high) and, across
/// with_stack(), inside other goroutine stacks, never their guards: it does not fault, whatever runs there
/// meanwhile. Async-signal-safe.
void walk_frames(uintptr_t fp, uintptr_t low, uintptr_t high, Frames& out) noexcept;

/// The stack of a goroutine that is not running, from its saved stack pointer `sp`; nothing when that does not
/// lie in [low, high). Async-signal-safe.
void walk_saved(const void* sp, uintptr_t low, uintptr_t high, Frames& out) noexcept;

/// What a signal handler's third argument says was interrupted; the frames on g's stack only. `g` may be null:
/// then only the program counter. Async-signal-safe.
void walk_interrupted(const void* ucontext, const G* g, Frames& out) noexcept;

/// The calling goroutine's own stack, from the caller of this function on; empty elsewhere.
void walk_own(Frames& out) noexcept;

}  // namespace degu::rt
