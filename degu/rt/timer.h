// Timer: calls a function on a scheduler thread at a time. The base of sleep, deadlines, Ticker and after().
#pragma once

#include <degu/base/time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace degu::rt {

struct P;

/// What a timer does. Lives as long as the program.
struct TimerCalls {
  void (*fire)(void* arg, uint32_t seq);
  void (*drop)(void* arg) = nullptr;  // instead, if run() ends first
};

/// Fields are the runtime's. Must not be moved or destroyed while armed.
struct Timer {
  std::atomic<P*> owner{nullptr};  // the P that holds it; the other fields are guarded by that P's timer_lock
  uint32_t index = 0;
  uint32_t seq = 0;
  const TimerCalls* calls = nullptr;
  void* arg = nullptr;
};

/// Arms a disarmed timer: `calls.fire(arg, seq)` runs once, at `when` (nanosecond resolution, never early), on a
/// scheduler thread without locks held; it must not block, and may claim, wake, spawn, start and stop timers. Its
/// arguments are copied before it runs, so the Timer itself may be gone by then. False when no scheduler runs. One
/// goroutine at a time may start and stop a given Timer. While it is not armed, `seq` is the caller's to use.
bool timer_start(Timer& timer, TimePoint when, const TimerCalls& calls, void* arg, uint32_t seq) noexcept;

/// True: it will not fire. False: it was not armed, has fired or is firing now.
bool timer_stop(Timer& timer) noexcept;

}  // namespace degu::rt
