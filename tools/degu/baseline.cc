#include "baseline.h"

#include <degu/base/error.h>
#include <degu/http/json_codec.h>
#include <fmt/format.h>

#include <cmath>

namespace degu::bench {
namespace {

constexpr double kBound = 4;
constexpr std::size_t kFewest = 5;  // intervals of each run

struct Spread {
  double mean = 0;
  double variance = 0;  // of the mean
};

Spread spread(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  Spread out;
  for (const double value : values) out.mean += value / count;
  for (const double value : values)
    out.variance += (value - out.mean) * (value - out.mean) / (count - 1) / count;
  return out;
}

Verdict judge(double distance, double variance) {
  if (distance == 0) return Verdict::kNoise;
  return std::abs(distance) >= kBound * std::sqrt(variance) ? Verdict::kReal : Verdict::kNoise;
}

// The last interval is left out: it may be a short one, of little worth.
template <class Value>
std::vector<double> intervals(const Report& report, Value value) {
  std::vector<double> out;
  for (std::size_t i = 0; i + 1 < report.timeline.size(); ++i) {
    const ReportInterval& one = report.timeline[i];
    if (one.length_s > 0 && one.requests > 0) out.push_back(value(one));
  }
  return out;
}

template <class Value>
Verdict over_intervals(const Report& before, const Report& after, Value value) {
  const std::vector<double> old_values = intervals(before, value);
  const std::vector<double> new_values = intervals(after, value);
  if (old_values.size() < kFewest || new_values.size() < kFewest) return Verdict::kUnknown;
  const Spread a = spread(old_values);
  const Spread b = spread(new_values);
  return judge(b.mean - a.mean, a.variance + b.variance);
}

double error_share(const Report& report) {
  return report.requests == 0 ? 0 : static_cast<double>(report.errors) / static_cast<double>(report.requests);
}

Verdict errors_verdict(const Report& before, const Report& after) {
  if (before.requests == 0 || after.requests == 0) return Verdict::kUnknown;
  const auto n = static_cast<double>(before.requests);
  const auto m = static_cast<double>(after.requests);
  const double common = static_cast<double>(before.errors + after.errors) / (n + m);
  return judge(error_share(after) - error_share(before), common * (1 - common) * (1 / n + 1 / m));
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kReal:
      return "probably real";
    case Verdict::kNoise:
      return "within the noise";
    default:
      return "too few intervals to tell";
  }
}

}  // namespace

Report parse_report(std::string_view text) {
  auto report = json::from_string<Report>(text, true);
  if (report.version == 1 && !report.settings.url.empty()) return report;
  throw Error(Code::kInvalidArgument,
              "that is no report of degu bench --json, or of a version that is not known here");
}

std::vector<Difference> compare_with(const Report& before, const Report& after) {
  return {{"answers/s", before.rate, after.rate, false,
           over_intervals(
               before, after,
               [](const ReportInterval& one) { return static_cast<double>(one.requests) / one.length_s; })},
          {"p50", before.latency.p50_ms, after.latency.p50_ms, true,
           over_intervals(before, after, [](const ReportInterval& one) { return one.p50_ms; })},
          {"p99", before.latency.p99_ms, after.latency.p99_ms, true,
           over_intervals(before, after, [](const ReportInterval& one) { return one.p99_ms; })},
          {"errors in %", 100 * error_share(before), 100 * error_share(after), false,
           errors_verdict(before, after)}};
}

std::string to_text(const std::vector<Difference>& differences, const Report& before, const Report& after) {
  std::string out = fmt::format("\n  {:<14}{:>12}{:>12}{:>10}\n", "compared", "before", "now", "change");
  const auto shown = [](const Difference& one, double value) {
    return one.latency ? format_ms(value) : fmt::format("{:.6g}", value);
  };
  for (const Difference& one : differences) {
    const std::string change =
        one.before > 0 ? fmt::format("{:+.1f} %", 100 * (one.after - one.before) / one.before) : "";
    out += fmt::format("  {:<14}{:>12}{:>12}{:>10}  {}\n", one.name, shown(one, one.before),
                       shown(one, one.after), change, to_string(one.verdict));
  }
  const ReportSettings& a = before.settings;
  const ReportSettings& b = after.settings;
  if (a.protocol != b.protocol || a.connections != b.connections || a.streams != b.streams ||
      a.rate != b.rate || a.arrivals != b.arrivals) {
    out += "  the runs had different loads: protocol, connections, streams, rate or arrivals\n";
  }
  if (a.url != b.url || a.scenario != b.scenario)
    out += "  the runs had different requests: URL or scenario\n";
  return out;
}

}  // namespace degu::bench
