// Process: child processes. run_process(): runs one and collects what it says.
#pragma once

#include <degu/base/time.h>
#include <degu/net/stream.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::net {

/// How a process ended: by itself with a code, or by a signal.
struct ExitStatus {
  int code = -1;   ///< -1: by a signal, or not known, since something else in this process has waited for it
  int signal = 0;  ///< 0: by itself

  bool ok() const noexcept { return code == 0; }
};

/// "exit code 3", "signal 9 (Killed)".
std::string to_string(const ExitStatus& status);

/// Where a standard stream of the child goes: as the parent's, nowhere (/dev/null), or to the parent through a pipe.
enum class Stdio : uint8_t { kInherit, kNull, kPipe };

struct ProcessOptions {
  std::optional<std::vector<std::string>> env = std::nullopt;  ///< "NAME=value"; nullopt: the parent's
  std::string cwd = {};                                        ///< empty: the parent's
  Stdio in = Stdio::kNull;
  Stdio out = Stdio::kInherit;
  Stdio err = Stdio::kInherit;
  bool err_to_out = false;  ///< standard error goes where standard output goes
  bool own_group =
      false;  ///< a process group of its own, which kill() and the end of the context then meet as a whole
  std::chrono::nanoseconds grace =
      std::chrono::seconds(5);  ///< from SIGTERM to SIGKILL when the context ends
};

/// A child process. Movable. wait() and kill() may come from any goroutine; the streams as any Stream.
class Process {
 public:
  Process() noexcept;
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  /// Kills it if it runs still, and waits for its end.
  ~Process();

  /// Starts argv[0], looked up in PATH unless it holds a slash, by posix_spawn: in a process of many threads a fork
  /// without an exec is not safe. The child has default signal handlers for all but ignored signals, no blocked
  /// signals, and no descriptors but the standard ones and those of the parent that lack FD_CLOEXEC. Blocks the thread
  /// until the program has been loaded. Throws Error: kNotFound, kPermissionDenied, kInvalidArgument,
  /// kResourceExhausted.
  static Process spawn(const std::vector<std::string>& argv, const ProcessOptions& options = {});

  int pid() const noexcept;
  /// The ends of the pipes that were asked for; others are closed streams. Reading needs a goroutine for each pipe, or
  /// the child may wait for ever when one is full.
  Stream& in() noexcept;
  Stream& out() noexcept;
  Stream& err() noexcept;

  /// Parks until it has ended; no thread waits where the kernel has pidfd_open(2), else one blocks in waitpid(2). When
  /// the current context ends, the process gets SIGTERM, and SIGKILL after `grace`; then this throws Cancelled or
  /// DeadlineExceeded. May be called again.
  ExitStatus wait();
  /// nullopt: it runs still.
  std::optional<ExitStatus> try_wait() noexcept;
  /// Sends a signal, SIGKILL (9) by default; false: it has ended. Never meets another process that got the same number.
  bool kill(int signal = 9) noexcept;

 private:
  struct Impl;
  explicit Process(std::unique_ptr<Impl> impl) noexcept;

  std::unique_ptr<Impl> impl_;
};

struct CaptureOptions {
  ProcessOptions process = {};
  std::string_view input = {};                ///< what standard input holds
  std::size_t max_output = 16 * 1024 * 1024;  ///< of both streams together
};

struct ProcessOutput {
  ExitStatus status;
  std::string out;
  std::string err;
};

/// Runs a process to its end and returns all it wrote. `process.in`, `out`, `err` do not count: all are pipes. Throws as
/// spawn() and wait(), and Error(kOutOfRange) when it writes more than `max_output` bytes; it is killed then.
ProcessOutput run_process(const std::vector<std::string>& argv, const CaptureOptions& options = {});

}  // namespace degu::net
