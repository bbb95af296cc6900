// Report: the outcome of a run, as it is printed, saved and compared.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "load.h"
#include "scenario.h"

namespace degu::bench {

/// Latencies in milliseconds.
struct LatencySummary {
  uint64_t count = 0;
  double min_ms = 0;
  double mean_ms = 0;
  double stdev_ms = 0;
  double p50_ms = 0;
  double p75_ms = 0;
  double p90_ms = 0;
  double p95_ms = 0;
  double p99_ms = 0;
  double p999_ms = 0;
  double p9999_ms = 0;
  double max_ms = 0;
};
BOOST_DESCRIBE_STRUCT(LatencySummary, (),
                      (count, min_ms, mean_ms, stdev_ms, p50_ms, p75_ms, p90_ms, p95_ms, p99_ms, p999_ms,
                       p9999_ms, max_ms))

/// How many latencies there were from one bound to another, the upper one included.
struct ReportBucket {
  double from_ms = 0;
  double to_ms = 0;
  uint64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(ReportBucket, (), (from_ms, to_ms, count))

/// A point of the curve of percentiles.
struct ReportPercentile {
  double percent = 0;
  double ms = 0;
};
BOOST_DESCRIBE_STRUCT(ReportPercentile, (), (percent, ms))

struct ReportInterval {
  double begin_s = 0;
  double length_s = 0;
  uint64_t requests = 0;
  uint64_t errors = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
};
BOOST_DESCRIBE_STRUCT(ReportInterval, (), (begin_s, length_s, requests, errors, p50_ms, p99_ms, max_ms))

struct ReportRequest {
  std::string name;
  uint64_t errors = 0;
  LatencySummary latency;
};
BOOST_DESCRIBE_STRUCT(ReportRequest, (), (name, errors, latency))

/// How the run was asked for.
struct ReportSettings {
  std::string url;
  std::string protocol = "HTTP/1.1";
  int connections = 0;
  int streams = 1;       ///< of each connection
  double rate = 0;       ///< 0: closed loop
  std::string arrivals;  ///< "closed", "constant", "poisson"
  double warmup_s = 0;
  std::string scenario;  ///< the file; empty: one request
};
BOOST_DESCRIBE_STRUCT(ReportSettings, (),
                      (url, protocol, connections, streams, rate, arrivals, warmup_s, scenario))

struct Report {
  int version = 1;  ///< of this format
  ReportSettings settings;
  double seconds = 0;  ///< measured
  bool interrupted = false;
  uint64_t requests = 0;  ///< that ended, in an answer or not
  double rate = 0;        ///< answers a second
  uint64_t errors = 0;    ///< of all kinds
  std::map<std::string, uint64_t> errors_by_kind;
  std::map<std::string, std::string> first_errors;  ///< of each kind, what the first one said
  std::map<std::string, uint64_t> reset_causes;     ///< of HTTP/2: "RST_STREAM CANCEL", "GOAWAY NO_ERROR"
  std::optional<uint64_t>
      stream_limit;  ///< of HTTP/2: what the server allowed, if that was less than asked for
  std::map<std::string, uint64_t> statuses;
  uint64_t unfinished = 0;     ///< under way when the run ended
  uint64_t never_started = 0;  ///< open loop: due, but every user was busy until the end
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  /// Open loop: from the moment a request was to start, so that waiting for a slow server counts. Closed loop: from its
  /// sending.
  LatencySummary latency;
  /// Open loop: from the moment it was sent, which leaves that waiting out.
  std::optional<LatencySummary> latency_uncorrected;
  std::vector<ReportPercentile> percentiles;
  std::vector<ReportPercentile> percentiles_uncorrected;
  std::vector<ReportBucket> histogram;
  std::vector<ReportInterval> timeline;
  std::vector<ReportRequest> by_request;
};
BOOST_DESCRIBE_STRUCT(Report, (),
                      (version, settings, seconds, interrupted, requests, rate, errors, errors_by_kind,
                       first_errors, reset_causes, stream_limit, statuses, unfinished, never_started,
                       bytes_in, bytes_out, latency, latency_uncorrected, percentiles,
                       percentiles_uncorrected, histogram, timeline, by_request))

LatencySummary summarize(const Histogram& histogram);
/// `scenario_file` only for the record.
Report make_report(const LoadOptions& options, const Scenario& scenario, std::string url,
                   std::string scenario_file, const LoadResult& result);
/// The table at the end of a run, with a newline at its end.
std::string to_text(const Report& report);
/// "HTTP/2, closed loop, 4 connections of 10 streams".
std::string describe_load(const ReportSettings& settings);
/// "412 us", "3.21 ms", "1.50 s".
std::string format_ms(double ms);

}  // namespace degu::bench
