// compare_with: what has changed since a saved report.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report.h"

namespace degu::bench {

/// A report that --json has written. Throws Error(kInvalidArgument) that says what is wrong with it.
Report parse_report(std::string_view json);

/// What a difference is worth.
enum class Verdict : uint8_t {
  kUnknown,  ///< too few intervals to tell
  kNoise,    ///< the intervals of the runs differ among themselves as much
  kReal,
};

struct Difference {
  std::string name;
  double before = 0;
  double after = 0;
  bool latency = false;  ///< in ms, else a number
  Verdict verdict = Verdict::kUnknown;
};

/// Rate, p50, p99 and the share of errors in %, in this order. The verdict on the first three is Welch's t-test over the
/// intervals of both timelines, real from |t| = 4 on: neighbouring intervals resemble each other, so the usual 2 would
/// see too much. That on errors is a two-proportion z-test with the same bound.
std::vector<Difference> compare_with(const Report& before, const Report& after);
/// A table of them, with warnings when the runs were not asked for alike. Ends with a newline.
std::string to_text(const std::vector<Difference>& differences, const Report& before, const Report& after);

}  // namespace degu::bench
