// Dump: every goroutine with its state, what it waits for, how long, who started it, and its stack.
#pragma once

#include <string>

namespace degu::rt {

/// Appends a text like Go's to `out`. Costs nothing until called. A goroutine that runs has no stack in it;
/// one that changes state meanwhile may show a torn stack, never a crash. Thread-safe.
void dump_goroutines(std::string& out);

/// "all goroutines are asleep" with a dump on stderr, and exit with status 2.
[[noreturn]] void report_deadlock() noexcept;

}  // namespace degu::rt
