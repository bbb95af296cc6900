// Deadlock: goroutines that wait for each other while the rest of the program goes on.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace degu::rt {

/// Goroutines that wait for each other in a circle.
struct StuckCycle {
  uint64_t key;        ///< the same for the same waits of the same goroutines
  std::string report;  ///< who waits for what, held by whom; then their stacks. Several lines
};

/// Searches for cycles through owners of Mutex and RWMutex (writers) and through WaitGroup::go and TaskGroup
/// tasks, among goroutines that have been parked for at least `min_wait`. Waits that something else may end
/// are no part of a cycle: those with a deadline or with a context that can end, and those on channels,
/// conditions, semaphores and readers. So what is found never ends by itself, with two exceptions: a mutex that
/// another goroutine than its owner unlocks, and one whose owner ended without unlocking it, as the stack is then
/// somebody else's. Costs a look at every goroutine, nothing before; blocks nobody. Thread-safe.
std::vector<StuckCycle> find_stuck_cycles(std::chrono::nanoseconds min_wait);

/// Gets each report of report_stuck_cycles(), and of goroutines that keep their P, instead of stderr; null restores that. Called on a runtime thread:
/// it must not park. Thread-safe.
using StuckHook = void (*)(std::string_view report);
void set_stuck_hook(StuckHook hook) noexcept;

/// The watch: while a scheduler runs, goroutines that have waited for each other for so long are reported. For the
/// schedulers that start from now on; 0: none are looked for. Default 10 s.
void set_stuck_after(std::chrono::nanoseconds min_wait) noexcept;
std::chrono::nanoseconds stuck_after() noexcept;

/// One step of the watch: searches, and reports a cycle when it is seen unchanged for the second time, once. The
/// process goes on. Called now and then by one thread at a time: see set_stuck_after().
void report_stuck_cycles(std::chrono::nanoseconds min_wait) noexcept;

}  // namespace degu::rt
