// LiveView: what a run shows while it lasts.
#pragma once

#include <string>

#include "load.h"

namespace degu::bench {

/// On a terminal one line that is rewritten; elsewhere a line a second. Both on standard error, so that standard output
/// holds the report only. For one goroutine.
class LiveView {
 public:
  /// `enabled`: false shows nothing.
  LiveView(const LoadOptions& options, bool enabled);

  void show(const Progress& progress);
  /// Removes the line of the terminal.
  void finish();

  /// The line, of at most `columns` characters.
  static std::string line(const Progress& progress, const LoadOptions& options, std::size_t columns);

 private:
  const LoadOptions& options_;
  bool enabled_;
  bool terminal_;
  std::chrono::nanoseconds shown_{0};
};

}  // namespace degu::bench
