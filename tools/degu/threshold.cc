#include "threshold.h"

#include <degu/base/error.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace degu::bench {
namespace {

struct LatencyName {
  std::string_view name;
  double LatencySummary::*value;
};
constexpr LatencyName kLatencies[] = {
    {"p50", &LatencySummary::p50_ms},      {"p75", &LatencySummary::p75_ms},
    {"p90", &LatencySummary::p90_ms},      {"p95", &LatencySummary::p95_ms},
    {"p99", &LatencySummary::p99_ms},      {"p99.9", &LatencySummary::p999_ms},
    {"p99.99", &LatencySummary::p9999_ms}, {"min", &LatencySummary::min_ms},
    {"mean", &LatencySummary::mean_ms},    {"max", &LatencySummary::max_ms}};

struct TimeUnit {
  std::string_view name;
  double ms;
};
constexpr TimeUnit kTimeUnits[] = {{"ns", 1e-6}, {"us", 1e-3}, {"ms", 1}, {"s", 1e3}};

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw Error(Code::kInvalidArgument,
              fmt::format("the condition \"{}\" {}; examples: p99>5ms, errors>0.1%, rps<1000", text, why));
}

}  // namespace

Threshold Threshold::parse(std::string_view text) {
  Threshold threshold;
  threshold.text_ = text;
  const std::size_t sign = text.find_first_of("<>");
  if (sign == std::string_view::npos) refuse(text, "has no < or >");
  threshold.above_ = text[sign] == '>';
  threshold.equal_ = text.substr(sign + 1).starts_with('=');
  const std::string_view name = trimmed(text.substr(0, sign));
  const std::string_view number = trimmed(text.substr(sign + 1 + threshold.equal_));
  const char* const end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, threshold.limit_, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(threshold.limit_) || threshold.limit_ < 0)
    refuse(text, "has no number on its right");
  const std::string_view unit = trimmed({stop, static_cast<std::size_t>(end - stop)});

  if (name == "errors") {
    if (!unit.empty() && unit != "%") refuse(text, "takes a number, or a share in %");
    threshold.quantity_ = unit == "%" ? Quantity::kErrorShare : Quantity::kErrors;
    return threshold;
  }
  if (name == "rps" || name == "requests") {
    if (!unit.empty()) refuse(text, "takes a number without a unit");
    threshold.quantity_ = name == "rps" ? Quantity::kRate : Quantity::kRequests;
    return threshold;
  }
  for (const LatencyName& known : kLatencies) {
    if (known.name == name) threshold.latency_ = known.value;
  }
  if (threshold.latency_ == nullptr)
    refuse(text,
           "asks for something unknown; known are p50, p75, p90, p95, p99, p99.9, p99.99, min, mean, max, "
           "errors, rps, requests");
  for (const TimeUnit& known : kTimeUnits) {
    if (known.name != unit) continue;
    threshold.limit_ *= known.ms;
    return threshold;
  }
  refuse(text, "takes a time in ns, us, ms or s");
}

std::optional<std::string> Threshold::violated(const Report& report) const {
  double value = 0;
  std::string shown;
  if (quantity_ == Quantity::kLatency) {
    if (report.latency.count == 0) return fmt::format("{}: there was no answer", text_);
    value = report.latency.*latency_;
    shown = format_ms(value);
  } else if (quantity_ == Quantity::kErrorShare) {
    value = report.requests == 0
                ? 0
                : 100.0 * static_cast<double>(report.errors) / static_cast<double>(report.requests);
    shown = fmt::format("{:.3g} %", value);
  } else {
    value = quantity_ == Quantity::kRate     ? report.rate
            : quantity_ == Quantity::kErrors ? static_cast<double>(report.errors)
                                             : static_cast<double>(report.requests);
    shown = fmt::format("{:.10g}", value);
  }
  const bool fails = above_ ? value > limit_ : value < limit_;
  if (!fails && !(equal_ && value == limit_)) return std::nullopt;
  return fmt::format("{}: it is {}", text_, shown);
}

}  // namespace degu::bench
