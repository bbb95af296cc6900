#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace degu::bench {
namespace {

constexpr std::size_t kBuckets = 48;
constexpr double kCurve[] = {0,  10, 20, 30, 40,   50,   60,   70,   75,    80,    85,    90,     92.5,
                             95, 97, 98, 99, 99.5, 99.7, 99.8, 99.9, 99.95, 99.97, 99.99, 99.999, 100};

double ms(std::chrono::nanoseconds value) { return static_cast<double>(value.count()) / 1e6; }
double seconds(std::chrono::nanoseconds value) { return static_cast<double>(value.count()) / 1e9; }

std::vector<ReportPercentile> curve(const Histogram& histogram) {
  std::vector<ReportPercentile> points;
  if (histogram.count() == 0) return points;
  for (const double percent : kCurve) points.push_back({percent, ms(histogram.percentile(percent))});
  return points;
}

// Buckets whose bounds grow by a factor, from the least latency to the greatest.
std::vector<ReportBucket> buckets(const Histogram& histogram) {
  if (histogram.count() == 0) return {};
  const double low = std::max(1.0, static_cast<double>(histogram.min().count()));
  const double high = std::max(low * 1.01, static_cast<double>(histogram.max().count()));
  const double factor = std::pow(high / low, 1.0 / kBuckets);
  std::vector<ReportBucket> out(kBuckets);
  for (std::size_t i = 0; i < kBuckets; ++i) {
    out[i].from_ms = low * std::pow(factor, static_cast<double>(i)) / 1e6;
    out[i].to_ms = low * std::pow(factor, static_cast<double>(i + 1)) / 1e6;
  }
  for (std::size_t cell = 0; cell < Cells::kCount; ++cell) {
    if (histogram.at(cell) == 0) continue;
    const double value = std::max(low, static_cast<double>(Cells::low(cell)));
    const double place = std::floor(std::log(value / low) / std::log(factor));
    out[std::min(kBuckets - 1, static_cast<std::size_t>(std::max(0.0, place)))].count += histogram.at(cell);
  }
  return out;
}

std::string row(std::string_view name, std::string_view text) {
  return fmt::format("  {:<14}{}\n", name, text);
}

std::string format_bytes(double bytes) {
  if (bytes < 10'000) return fmt::format("{:.0f} B", bytes);
  if (bytes < 10'000'000) return fmt::format("{:.1f} KB", bytes / 1e3);
  if (bytes < 1e10) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.1f} GB", bytes / 1e9);
}

std::string listed(const std::map<std::string, uint64_t>& counts) {
  std::string out;
  for (const auto& [name, count] : counts)
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, count);
  return out;
}

void add_errors(const Report& report, std::string& out) {
  const double share = report.requests == 0 ? 0
                                            : 100.0 * static_cast<double>(report.errors) /
                                                  static_cast<double>(report.requests);
  out += row("errors", report.errors == 0 ? "none"
                                          : fmt::format("{} ({:.3g} %): {}", report.errors, share,
                                                        listed(report.errors_by_kind)));
  for (const auto& [kind, why] : report.first_errors) out += row("", fmt::format("first {}: {}", kind, why));
  if (!report.reset_causes.empty()) out += row("resets", listed(report.reset_causes));
  if (report.never_started != 0) {
    out += row("never started",
               fmt::format("{}: due, but all {} were busy; their wait is in no latency", report.never_started,
                           report.settings.streams > 1 ? "streams" : "connections"));
  }
  if (report.unfinished != 0)
    out += row("unfinished", fmt::format("{} under way at the end", report.unfinished));
}

void add_latencies(const Report& report, std::string& out) {
  struct Row {
    std::string_view name;
    double LatencySummary::*value;
  };
  constexpr Row kRows[] = {{"min", &LatencySummary::min_ms},     {"mean", &LatencySummary::mean_ms},
                           {"stdev", &LatencySummary::stdev_ms}, {"p50", &LatencySummary::p50_ms},
                           {"p75", &LatencySummary::p75_ms},     {"p90", &LatencySummary::p90_ms},
                           {"p95", &LatencySummary::p95_ms},     {"p99", &LatencySummary::p99_ms},
                           {"p99.9", &LatencySummary::p999_ms},  {"p99.99", &LatencySummary::p9999_ms},
                           {"max", &LatencySummary::max_ms}};
  if (report.latency.count == 0) return;
  const auto& sent = report.latency_uncorrected;
  out +=
      sent ? fmt::format("\n  {:<8}{:>14}{:>14}\n", "latency", "corrected", "uncorrected") : "\n  latency\n";
  for (const Row& line : kRows) {
    out += fmt::format("  {:<8}{:>14}", line.name, format_ms(report.latency.*line.value));
    if (sent) out += fmt::format("{:>14}", format_ms(*sent.*line.value));
    out += '\n';
  }
  if (sent) out += "  corrected: from when a request was to start; uncorrected: from when it was sent\n";
}

}  // namespace

std::string describe_load(const ReportSettings& settings) {
  std::string out = settings.protocol;
  out += settings.rate > 0
             ? fmt::format(", open loop, {:g} requests/s, {} arrivals", settings.rate, settings.arrivals)
             : ", closed loop";
  out += fmt::format(", {} connections", settings.connections);
  if (settings.streams > 1) out += fmt::format(" of {} streams", settings.streams);
  return out;
}

std::string format_ms(double value) {
  if (value < 0.9995) return fmt::format("{:.0f} us", value * 1e3);
  if (value < 999.5) return fmt::format("{:.2f} ms", value);
  return fmt::format("{:.2f} s", value / 1e3);
}

LatencySummary summarize(const Histogram& histogram) {
  const auto at = [&](double percent) { return ms(histogram.percentile(percent)); };
  return {.count = histogram.count(),
          .min_ms = ms(histogram.min()),
          .mean_ms = histogram.mean() / 1e6,
          .stdev_ms = histogram.stdev() / 1e6,
          .p50_ms = at(50),
          .p75_ms = at(75),
          .p90_ms = at(90),
          .p95_ms = at(95),
          .p99_ms = at(99),
          .p999_ms = at(99.9),
          .p9999_ms = at(99.99),
          .max_ms = ms(histogram.max())};
}

Report make_report(const LoadOptions& options, const Scenario& scenario, std::string url,
                   std::string scenario_file, const LoadResult& result) {
  const Totals& totals = result.totals;
  Report report;
  report.settings = {.url = std::move(url),
                     .protocol = options.target.http2 ? "HTTP/2" : "HTTP/1.1",
                     .connections = options.connections,
                     .streams = options.streams,
                     .rate = options.rate,
                     .arrivals = options.rate <= 0 ? "closed"
                                 : options.poisson ? "poisson"
                                                   : "constant",
                     .warmup_s = seconds(options.warmup),
                     .scenario = std::move(scenario_file)};
  report.seconds = seconds(result.measured);
  report.interrupted = result.interrupted;
  report.requests = totals.all_requests();
  report.rate = report.seconds > 0 ? static_cast<double>(totals.latency.count()) / report.seconds : 0;
  report.errors = totals.all_errors();
  for (std::size_t i = 0; i < kErrorKinds; ++i) {
    const std::string kind(to_string(static_cast<ErrorKind>(i)));
    if (totals.errors[i] != 0) report.errors_by_kind[kind] = totals.errors[i];
    if (!result.first_errors[i].empty()) report.first_errors[kind] = result.first_errors[i];
  }
  if (totals.stream_limit != 0 && totals.stream_limit < static_cast<uint64_t>(options.streams))
    report.stream_limit = totals.stream_limit;
  for (const auto& [cause, count] : totals.causes) report.reset_causes[cause] = count;
  for (const auto& [status, count] : totals.statuses) report.statuses[std::to_string(status)] = count;
  report.unfinished = totals.unfinished;
  report.never_started = result.never_started;
  report.bytes_in = totals.bytes_in;
  report.bytes_out = totals.bytes_out;
  report.latency = summarize(totals.latency);
  report.percentiles = curve(totals.latency);
  report.histogram = buckets(totals.latency);
  if (options.rate > 0) {
    report.latency_uncorrected = summarize(totals.sent);
    report.percentiles_uncorrected = curve(totals.sent);
  }
  for (const Interval& one : result.timeline) {
    report.timeline.push_back({seconds(one.begin), seconds(one.length), one.requests, one.errors, ms(one.p50),
                               ms(one.p99), ms(one.max)});
  }
  for (std::size_t i = 0; i < scenario.requests().size(); ++i) {
    report.by_request.push_back(
        {scenario.requests()[i].name, totals.requests[i].errors, summarize(totals.requests[i].latency)});
  }
  return report;
}

std::string to_text(const Report& report) {
  const ReportSettings& asked = report.settings;
  std::string out = fmt::format("\n{}\n", asked.url);
  out += row("load", fmt::format("{}, {:.2f} s{}", describe_load(asked), report.seconds,
                                 report.interrupted ? ", interrupted" : ""));
  if (report.stream_limit) {
    out += row("", fmt::format("the server takes {} streams of a connection at once: the others waited",
                               *report.stream_limit));
  }
  out += row("requests", fmt::format("{}, {:.1f} answers/s", report.requests, report.rate));
  if (!report.statuses.empty()) out += row("statuses", listed(report.statuses));
  add_errors(report, out);
  const double time = report.seconds > 0 ? report.seconds : 1;
  out += row("received", fmt::format("{}, {}/s", format_bytes(static_cast<double>(report.bytes_in)),
                                     format_bytes(static_cast<double>(report.bytes_in) / time)));
  out += row("sent", fmt::format("{}, {}/s", format_bytes(static_cast<double>(report.bytes_out)),
                                 format_bytes(static_cast<double>(report.bytes_out) / time)));
  add_latencies(report, out);
  if (report.by_request.size() > 1) {
    out += fmt::format("\n  {:<28}{:>10}{:>10}{:>12}{:>12}\n", "request", "answers", "errors", "p50", "p99");
    for (const ReportRequest& one : report.by_request) {
      out += fmt::format("  {:<28}{:>10}{:>10}{:>12}{:>12}\n", one.name, one.latency.count, one.errors,
                         format_ms(one.latency.p50_ms), format_ms(one.latency.p99_ms));
    }
  }
  return out;
}

}  // namespace degu::bench
