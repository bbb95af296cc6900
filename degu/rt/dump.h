// Dump: every goroutine with its state, what it waits for, how long, who started it, and its stack.
#pragma once

#include <degu/rt/park.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace degu::rt {

enum class GoroutineState : uint8_t { kRunnable, kRunning, kWaiting, kBlocking };
std::string_view to_string(GoroutineState state) noexcept;

/// One goroutine at one moment.
struct GoroutineInfo {
  uint64_t id = 0;
  std::string name;
  GoroutineState state = GoroutineState::kRunnable;
  WaitReason reason = WaitReason::kNone;  ///< while it waits
  const void* object = nullptr;           ///< what it waits on, where the primitive says so
  std::chrono::nanoseconds waited{0};     ///< to a kernel tick (4 ms); 0 unless it waits
  bool locked = false;                    ///< to its thread, by lock_os_thread()
  uint64_t creator = 0;                   ///< id of the goroutine that started it; 0: a foreign thread
  uintptr_t created_at = 0;               ///< in the call that started it
  std::vector<uintptr_t> stack;           ///< innermost first; return addresses less one. See symbolize.h
};

/// All goroutines of the process, by id; foreign threads are not among them. Goroutines go on meanwhile: each
/// record is consistent in itself, and one that exists throughout is in it. A stack is that of one moment: of a
/// waiting goroutine it is read and kept only if it has not run meanwhile; a running one is interrupted by a
/// signal to walk its own (internal/thread_sample.h). A goroutine that changes state faster than it can be read,
/// that has not run yet, or whose thread does not answer, has an empty stack. Costs nothing until called.
/// Thread-safe; on a foreign thread call it only while the scheduler runs.
std::vector<GoroutineInfo> goroutines();

/// Only the one with that id; its stack is empty if it is gone. For reports about one goroutine.
GoroutineInfo goroutine(uint64_t id);

/// kFull: each goroutine as Go's GOTRACEBACK=all and debug=2 do. kGrouped: those with equal stacks together, as
/// debug=1 does.
enum class DumpStyle : uint8_t { kFull, kGrouped };

/// Appends the text of the given goroutines, with functions and lines (symbolize.h); the runtime's own frames at
/// both ends are left out of kFull.
void append_goroutines(std::string& out, std::span<const GoroutineInfo> all,
                       DumpStyle style = DumpStyle::kFull);

/// append_goroutines of all.
void dump_goroutines(std::string& out, DumpStyle style = DumpStyle::kFull);

/// "all goroutines are asleep" with a dump on stderr, and exit with status 2.
[[noreturn]] void report_deadlock() noexcept;

}  // namespace degu::rt
