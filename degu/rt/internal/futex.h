// futex(2): sleep on a word, with an absolute CLOCK_MONOTONIC deadline.
#pragma once

#include <degu/base/time.h>

#include <atomic>
#include <cstdint>

namespace degu::rt {

/// Sleeps while *word == expected, until woken or `deadline`. Spurious returns happen. False on timeout.
bool futex_wait(std::atomic<uint32_t>& word, uint32_t expected, TimePoint deadline = kNever) noexcept;
void futex_wake(std::atomic<uint32_t>& word, int count) noexcept;

/// One turn of a spin loop.
inline void cpu_relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// The turn-th vain look at a word that another thread is about to change: pauses, and from some 10 us on sleeps
/// for a moment, as that thread may be off its CPU.
void back_off(uint32_t turn) noexcept;

}  // namespace degu::rt
