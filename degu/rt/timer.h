// Timer: calls a function on a scheduler thread at a time. The base of sleep, deadlines, Ticker and after().
#pragma once

#include <degu/base/time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace degu::rt {

struct P;

/// Fields are the runtime's. Must not be moved or destroyed while armed.
struct Timer {
  using Fire = void (*)(void* arg, uint32_t seq);

  std::atomic<P*> owner{nullptr};  // the P that holds it; the other fields are guarded by that P's timer_lock
  uint32_t index = 0;
  uint32_t seq = 0;
  Fire fire = nullptr;
  void* arg = nullptr;
  void (*drop)(void* arg) = nullptr;  // set before it is armed: called instead of fire if run() ends first
};

/// Arms a disarmed timer: `fire(arg, seq)` runs once, at `when` (nanosecond resolution, never early), on a scheduler
/// thread without locks held; it must not block, and may claim, wake, spawn, start and stop timers. Its arguments are
/// copied before it runs, so the Timer itself may be gone by then. False when no scheduler runs. One goroutine at a
/// time may start and stop a given Timer.
bool timer_start(Timer& timer, TimePoint when, Timer::Fire fire, void* arg, uint32_t seq) noexcept;

/// True: it will not fire. False: it was not armed, has fired or is firing now.
bool timer_stop(Timer& timer) noexcept;

}  // namespace degu::rt
