// bench_command: `degu bench` from the command line to the exit code.
#pragma once

#include <memory>

namespace CLI {
class App;
}

namespace degu::bench {

inline constexpr int kExitGood = 0;
inline constexpr int kExitFailed =
    1;  ///< a condition of --fail-if holds, nothing answered, or a file cannot be written
inline constexpr int kExitUsage = 2;

/// What a command line said; lives until run_bench() has returned.
class BenchCommand {
 public:
  BenchCommand();
  ~BenchCommand();
  BenchCommand(const BenchCommand&) = delete;
  BenchCommand& operator=(const BenchCommand&) = delete;

  /// Adds the options.
  void declare(CLI::App& command);
  /// After parsing, outside a scheduler: runs the load, prints, and returns the exit code.
  int run();

 private:
  struct Options;
  std::unique_ptr<Options> options_;
};

}  // namespace degu::bench
