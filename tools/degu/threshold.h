// Threshold: a condition of --fail-if.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "report.h"

namespace degu::bench {

/// "p99>5ms", "errors>0.1%", "rps<1000". On the left: p and a percentile that a report has (p50, p75, p90, p95, p99, p99.9,
/// p99.99), min, mean or max, which take a time (ns, us, ms, s); errors, a number or a share of the requests in %; rps
/// and requests, a number. Between: > >= < <=.
class Threshold {
 public:
  /// Throws Error(kInvalidArgument) that says what was not understood.
  static Threshold parse(std::string_view text);

  /// Why the report fails, or nothing. A latency of which there is no value fails too.
  std::optional<std::string> violated(const Report& report) const;

 private:
  enum class Quantity : uint8_t { kLatency, kErrors, kErrorShare, kRate, kRequests };

  std::string text_;
  Quantity quantity_ = Quantity::kLatency;
  double LatencySummary::*latency_ = nullptr;
  bool above_ = true;   // fails when it is above the limit, else when it is below
  bool equal_ = false;  // and at the limit
  double limit_ = 0;    // ms, %, a number
};

}  // namespace degu::bench
