// bubble: virtual time for a unit test, on the scheduler that runs. Go's testing/synctest.
#pragma once

#include <degu/base/function.h>

namespace degu::sim {

/// Runs `body` in a goroutine of a new bubble and returns when it and all goroutines that were started in the bubble
/// have ended; rethrows what `body` threw. In a bubble degu::now() starts at 2000-01-01 and stands still while any
/// goroutine of it can run. When all are durably blocked it moves to the next timer that was started in the bubble;
/// timers of one instant fire in random order.
///
/// Durably blocked is who can only be woken from within: in sleep, on a channel made in the bubble, in a select over
/// such, in Cond, WaitGroup, TaskGroup, Semaphore, SingleFlight. Not on a Mutex, as its owner may be outside, nor in
/// blocking() or on a descriptor.
///
/// Throws Error(kAborted) with the goroutines when all are durably blocked and no timer is armed, or when `body` has
/// returned and others are blocked for ever; those are then left. Throws Error(kFailedPrecondition) in a bubble or a
/// simulation. Channels of a bubble may not be used outside of it (kFailedPrecondition there). `body` runs without
/// the caller's context. Outside of degu::run it runs a scheduler meanwhile.
///
///   sim::bubble([] {
///     auto cache = Cache(1h);
///     cache.put("a", 1);
///     degu::sleep(59min);  // takes no time
///     EXPECT_TRUE(cache.get("a"));
///   });
void bubble(UniqueFunction<void()> body);

/// Waits until all other goroutines of the caller's bubble are durably blocked. One goroutine at a time. Throws
/// Error(kFailedPrecondition) outside of a bubble.
void wait();

}  // namespace degu::sim
