// Flight recorder: what the scheduler did of late, as a timeline. Always on: the last 8,192 events of each P. What that
// costs: docs/runtime.md.
#pragma once

#include <string>

namespace degu::rt {

/// The recorded events of all Ps as Chrome trace JSON, for ui.perfetto.dev or chrome://tracing: a track for each P with
/// what it ran from when to when, why it stopped and who had woken it (an arrow, where waker and woken ran on one P or the
/// woken was stolen first of a batch), and marks for timers, network events, thefts, blocking calls and every 64th
/// goroutine started. Who started a goroutine is told of those that are alive. Times between two looks at the clock are interpolated: the order on a track is exact, a moment is to
/// some microseconds. Empty when no scheduler runs. Thread-safe.
std::string flight_trace();

/// flight_trace() into a file. False: it cannot be written. To have one written when the program fails:
/// RunOptions::trace_on_failure.
bool write_flight_trace(const std::string& path);

}  // namespace degu::rt
