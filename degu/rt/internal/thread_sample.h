// ThreadSample: what a scheduler thread is running right now, with its stack.
#pragma once

#include <degu/rt/internal/frames.h>

#include <cstdint>

namespace degu::rt {

struct M;
struct Scheduler;

struct ThreadSample {
  uint64_t goroutine = 0;
  Frames frames;
};

/// Interrupts the thread of `m` by a signal (SIGURG, as Go does; ignored by default) whose handler walks the
/// stack of the goroutine there. False: it runs none, has ended, or does not answer in time (a kernel call that
/// signals do not end). A system call that does not restart may return EINTR there. One caller at a time samples;
/// the others wait. `m` may be the caller's own. Not async-signal-safe.
bool sample_thread(const M& m, ThreadSample& out) noexcept;

/// Calls visit(sample, arg) for each thread of the scheduler that answers with a goroutine.
void sample_threads(Scheduler& sched, void (*visit)(const ThreadSample& sample, void* arg), void* arg);

}  // namespace degu::rt
