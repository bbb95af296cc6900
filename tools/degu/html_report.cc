#include "html_report.h"

#include <degu/http/html_template.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "svg_plot.h"

namespace degu::bench {
namespace {

constexpr std::string_view kStyle = R"(
:root { --ink: #1c2430; --soft: #667080; --edge: #dde2ea; --ground: #f6f8fb; --card: #fff; --a: #2563eb; --b: #d9480f; --c: #7c3aed; --bad: #c92a2a; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #98a3b3; --edge: #303947; --ground: #12161c; --card: #1a2029; --a: #6ea8fe; --b: #ff9f5a; --c: #b197fc; --bad: #ff8787; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1100px; padding: 16px; background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 8px; }
p { margin: 4px 0 16px; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; margin-bottom: 12px; }
.tile b { display: block; font-size: 1.35rem; }
.tile span { color: var(--soft); }
.grid2 { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 12px; }
.tile, section { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 12px; min-width: 0; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 8px; text-align: right; border-bottom: 1px solid var(--edge); }
th:first-child, td:first-child { text-align: left; padding-left: 0; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 500; }
.bad { color: var(--bad); }
svg { width: 100%; height: auto; display: block; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.grid { stroke: var(--edge); stroke-width: 1; }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.s0 { stroke: var(--a); } .s1 { stroke: var(--b); } .s2 { stroke: var(--c); }
.bar { fill: var(--a); }
)";

std::string tile(std::string_view value, std::string_view what, bool bad = false) {
  return fmt::format("<div class=\"tile\"><b{}>{}</b><span>{}</span></div>\n", bad ? " class=\"bad\"" : "",
                     http::escape_html(value), what);
}

std::string section(std::string_view title, std::string_view content) {
  return fmt::format("<section><h2>{}</h2>\n{}</section>\n", title, content);
}

std::vector<SvgPlot::Tick> time_ticks(double seconds) {
  std::vector<SvgPlot::Tick> ticks;
  for (int i = 0; i <= 4; ++i) ticks.push_back({seconds * i / 4, fmt::format("{:.3g} s", seconds * i / 4)});
  return ticks;
}

// Where an interval stands in a plot over time, and what it says there.
template <class Value>
SvgPlot::Points over_time(const Report& report, Value value) {
  SvgPlot::Points points;
  for (const ReportInterval& one : report.timeline)
    points.emplace_back(one.begin_s + one.length_s / 2, value(one));
  return points;
}

double highest(const SvgPlot::Points& points) {
  double high = 0;
  for (const auto& point : points) high = std::max(high, point.second);
  return high;
}

std::string latency_over_time(const Report& report) {
  SvgPlot plot("latency over time");
  const auto p50 = over_time(report, [](const ReportInterval& one) { return one.p50_ms; });
  const auto p99 = over_time(report, [](const ReportInterval& one) { return one.p99_ms; });
  const auto max = over_time(report, [](const ReportInterval& one) { return one.max_ms; });
  plot.set_x(0, report.seconds, time_ticks(report.seconds));
  plot.set_y(highest(max), true);
  plot.add_line("p50", p50);
  plot.add_line("p99", p99);
  plot.add_line("max", max);
  return plot.svg();
}

std::string rate_over_time(const Report& report) {
  SvgPlot plot("requests a second over time");
  const auto per_second = [](const ReportInterval& one, uint64_t count) {
    return one.length_s > 0 ? static_cast<double>(count) / one.length_s : 0;
  };
  const auto rate =
      over_time(report, [&](const ReportInterval& one) { return per_second(one, one.requests); });
  plot.set_x(0, report.seconds, time_ticks(report.seconds));
  plot.set_y(highest(rate), false);
  plot.add_line("requests/s", rate);
  plot.add_line("errors/s",
                over_time(report, [&](const ReportInterval& one) { return per_second(one, one.errors); }));
  return plot.svg();
}

// By the logarithm of the latency, as its buckets are.
std::string histogram(const Report& report) {
  SvgPlot plot("how many answers had which latency");
  if (report.histogram.empty()) return plot.svg();
  SvgPlot::Points bars;
  for (const ReportBucket& bucket : report.histogram) {
    bars.emplace_back(std::log(bucket.from_ms), static_cast<double>(bucket.count));
  }
  const double low = report.histogram.front().from_ms;
  const double high = report.histogram.back().to_ms;
  std::vector<SvgPlot::Tick> ticks;
  for (int i = 0; i <= 4; ++i) {
    const double ms = low * std::pow(high / low, i / 4.0);
    ticks.push_back({std::log(ms), format_ms(ms)});
  }
  plot.set_x(std::log(low), std::log(high), std::move(ticks));
  plot.set_y(highest(bars), false);
  plot.add_bars(bars);
  return plot.svg();
}

// HdrHistogram's view: by 1/(1-p), so that the rare ones have room.
std::string percentile_curve(const Report& report) {
  SvgPlot plot("latency by percentile");
  const auto place = [](double percent) { return -std::log10(std::max(1 - percent / 100, 1e-5)); };
  const auto points = [&](const std::vector<ReportPercentile>& from) {
    SvgPlot::Points out;
    for (const ReportPercentile& one : from) out.emplace_back(place(one.percent), one.ms);
    return out;
  };
  std::vector<SvgPlot::Tick> ticks;
  for (const double percent : {0.0, 90.0, 99.0, 99.9, 99.99, 99.999})
    ticks.push_back({place(percent), fmt::format("{:g}", percent)});
  plot.set_x(0, 5, std::move(ticks));
  plot.set_y(report.latency.max_ms, true);
  plot.add_line(report.latency_uncorrected ? "corrected" : "", points(report.percentiles));
  if (report.latency_uncorrected) plot.add_line("uncorrected", points(report.percentiles_uncorrected));
  return plot.svg();
}

std::string latency_table(const Report& report) {
  const auto& sent = report.latency_uncorrected;
  std::string out = fmt::format("<table><tr><th></th><th>{}</th>{}</tr>\n", sent ? "corrected" : "latency",
                                sent ? "<th>uncorrected</th>" : "");
  const auto add = [&](std::string_view name, double LatencySummary::*value) {
    out += fmt::format("<tr><td>{}</td><td>{}</td>", name, format_ms(report.latency.*value));
    if (sent) out += fmt::format("<td>{}</td>", format_ms((*sent).*value));
    out += "</tr>\n";
  };
  add("min", &LatencySummary::min_ms);
  add("mean", &LatencySummary::mean_ms);
  add("stdev", &LatencySummary::stdev_ms);
  add("p50", &LatencySummary::p50_ms);
  add("p75", &LatencySummary::p75_ms);
  add("p90", &LatencySummary::p90_ms);
  add("p95", &LatencySummary::p95_ms);
  add("p99", &LatencySummary::p99_ms);
  add("p99.9", &LatencySummary::p999_ms);
  add("p99.99", &LatencySummary::p9999_ms);
  add("max", &LatencySummary::max_ms);
  return out + "</table>\n";
}

std::string outcome_table(const Report& report) {
  std::string out = "<table>";
  const auto add = [&](std::string_view name, std::string_view value) {
    out +=
        fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", http::escape_html(name), http::escape_html(value));
  };
  for (const auto& [status, count] : report.statuses) add("status " + status, std::to_string(count));
  for (const auto& [kind, count] : report.errors_by_kind) add("error: " + kind, std::to_string(count));
  for (const auto& [kind, why] : report.first_errors) add("first " + kind, why);
  if (report.stream_limit) add("streams that the server takes at once", std::to_string(*report.stream_limit));
  for (const auto& [cause, count] : report.reset_causes) add("reset: " + cause, std::to_string(count));
  if (report.unfinished != 0) add("under way at the end", std::to_string(report.unfinished));
  if (report.never_started != 0) add("due, but never started", std::to_string(report.never_started));
  add("bytes received", std::to_string(report.bytes_in));
  add("bytes sent", std::to_string(report.bytes_out));
  return out + "</table>\n";
}

std::string request_table(const Report& report) {
  std::string out =
      "<table><tr><th>request</th><th>answers</th><th>errors</th><th>p50</th><th>p99</th></tr>\n";
  for (const ReportRequest& one : report.by_request) {
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                       http::escape_html(one.name), one.latency.count, one.errors,
                       format_ms(one.latency.p50_ms), format_ms(one.latency.p99_ms));
  }
  return out + "</table>\n";
}

}  // namespace

std::string to_html(const Report& report) {
  const ReportSettings& asked = report.settings;
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>degu bench "
      "{}</title>\n<style>{}</style></head><body>\n",
      http::escape_html(asked.url), kStyle);
  out += fmt::format("<h1>{}</h1>\n<p>{}, {:.2f} s{}{}</p>\n", http::escape_html(asked.url),
                     http::escape_html(describe_load(asked)), report.seconds,
                     asked.warmup_s > 0 ? fmt::format(" behind a warm-up of {:g} s", asked.warmup_s) : "",
                     report.interrupted ? ", interrupted" : "");
  out += "<div class=\"tiles\">\n";
  out += tile(fmt::format("{:.0f}", report.rate), "answers a second") +
         tile(std::to_string(report.requests), "requests");
  out += tile(std::to_string(report.errors), "errors", report.errors != 0);
  out += tile(format_ms(report.latency.p50_ms), "p50") + tile(format_ms(report.latency.p99_ms), "p99");
  out += "</div>\n<div class=\"grid2\">\n";
  out += section("Latency over time", latency_over_time(report)) +
         section("Rate over time", rate_over_time(report));
  out += section("Histogram", histogram(report)) + section("Percentiles", percentile_curve(report));
  out += section("Latency", latency_table(report)) + section("Outcome", outcome_table(report));
  if (report.by_request.size() > 1) out += section("By request", request_table(report));
  return out + "</div>\n</body></html>\n";
}

}  // namespace degu::bench
