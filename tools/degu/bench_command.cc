#include "bench_command.h"

#include <degu/app/flags.h>
#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/json_codec.h>
#include <degu/net/signal.h>
#include <degu/rt/run.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include "baseline.h"
#include "html_report.h"
#include "live_view.h"
#include "load.h"
#include "report.h"
#include "threshold.h"

namespace degu::bench {
namespace {

constexpr int kMaxConnections = 100'000;
constexpr int kMaxStreams = 10'000;   // of a connection
constexpr int kMaxUsers = 1'000'000;  // of all
constexpr double kMaxRate = 10'000'000;
constexpr std::chrono::seconds kDefaultDuration(10);

std::string read_file(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad())
    throw Error(Code::kInvalidArgument, fmt::format("{} cannot be read", name));
  return text;
}

bool write_file(const std::string& name, const std::string& text) {
  std::ofstream file(name, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file.good()) return true;
  fmt::print(stderr, "degu bench: {} cannot be written\n", name);
  return false;
}

std::pair<std::string, std::string> parse_header(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos)
    throw Error(Code::kInvalidArgument, fmt::format("the header \"{}\" has no colon", text));
  const std::size_t begin = std::min(text.find_first_not_of(' ', colon + 1), text.size());
  return {text.substr(0, colon), text.substr(begin)};
}

}  // namespace

struct BenchCommand::Options {
  std::string url;
  int connections = 64;
  bool http2 = false;
  int streams = 1;
  std::string duration;
  std::string warmup = "0s";
  std::string timeout = "30s";
  uint64_t requests = 0;
  double rate = 0;
  std::string arrivals = "constant";
  uint64_t seed = 1;
  std::string method;
  std::vector<std::string> headers;
  std::string body;
  std::string scenario;
  std::string json;
  std::string html;
  std::string baseline;
  std::vector<std::string> fail_if;
  std::string ca_file;
  bool insecure = false;
  bool quiet = false;

  LoadOptions load() const;
  Scenario requests_of(const Target& target) const;
};

namespace {

std::chrono::nanoseconds duration_of(std::string_view option, const std::string& text) {
  std::chrono::nanoseconds value{0};
  if (app::parse_duration(text, value)) return value;
  throw Error(Code::kInvalidArgument,
              fmt::format("{} takes a duration such as 250ms or 10s, not \"{}\"", option, text));
}

}  // namespace

LoadOptions BenchCommand::Options::load() const {
  LoadOptions load;
  load.target = parse_target(url);
  load.target.http2 = http2;
  load.connections = connections;
  load.streams = streams;
  if (streams > 1 && !http2) throw Error(Code::kInvalidArgument, "--streams needs --http2");
  if (static_cast<int64_t>(connections) * streams > kMaxUsers)
    throw Error(Code::kInvalidArgument,
                fmt::format("connections times streams may be {} at most", kMaxUsers));
  load.requests = requests;
  if (!duration.empty()) {
    load.duration = duration_of("--duration", duration);
    if (load.duration.count() == 0) throw Error(Code::kInvalidArgument, "--duration has to be more than 0");
  } else if (requests == 0) {
    load.duration = kDefaultDuration;
  }
  load.warmup = duration_of("--warmup", warmup);
  load.timeout = duration_of("--timeout", timeout);
  if (load.timeout.count() == 0) throw Error(Code::kInvalidArgument, "--timeout has to be more than 0");
  load.rate = rate;
  load.poisson = arrivals == "poisson";
  if (load.poisson && rate <= 0) throw Error(Code::kInvalidArgument, "--arrivals needs --rate");
  load.seed = seed;
  load.tls.ca_file = ca_file;
  load.tls.verify = !insecure;
  load.tls.alpn = {http2 ? "h2" : "http/1.1"};
  return load;
}

Scenario BenchCommand::Options::requests_of(const Target& target) const {
  if (!scenario.empty()) {
    if (!method.empty() || !headers.empty() || !body.empty()) {
      throw Error(Code::kInvalidArgument,
                  "--method, --header and --body are for single requests; the scenario has its own");
    }
    return Scenario::parse(read_file(scenario), target);
  }
  RequestText text;
  text.path = target.path;
  text.body = body.starts_with('@') ? read_file(body.substr(1)) : body;
  text.method = !method.empty() ? method : text.body.empty() ? "GET" : "POST";
  for (const std::string& header : headers) text.headers.push_back(parse_header(header));
  return Scenario::single(text, target);
}

BenchCommand::BenchCommand() : options_(std::make_unique<Options>()) {}
BenchCommand::~BenchCommand() = default;

void BenchCommand::declare(CLI::App& command) {
  Options& o = *options_;
  command
      .add_option("url", o.url,
                  "http://host:port/path, or https://; with --scenario only scheme, host and port count")
      ->required();
  command
      .add_option("-c,--connections", o.connections,
                  "connections, each with one request under way, or --streams")
      ->check(CLI::Range(1, kMaxConnections))
      ->capture_default_str();
  command.add_flag("--http2", o.http2, "speak HTTP/2: by ALPN over https, by prior knowledge over http");
  command.add_option("--streams", o.streams, "of each connection of --http2: requests under way at once")
      ->check(CLI::Range(1, kMaxStreams))
      ->capture_default_str();
  command.add_option("-d,--duration", o.duration,
                     "how long, e.g. 10s, behind the warm-up (default: 10s without -n)");
  command.add_option("-n,--requests", o.requests, "how many requests at most, those of the warm-up included");
  command
      .add_option("--rate", o.rate,
                  "open loop: so many requests a second, fractions too, whatever the server does")
      ->check(CLI::Range(0.001, kMaxRate));
  command.add_option("--arrivals", o.arrivals, "of --rate")
      ->check(CLI::IsMember({"constant", "poisson"}))
      ->capture_default_str();
  command.add_option("--warmup", o.warmup, "load before the measurement")->capture_default_str();
  command.add_option("--timeout", o.timeout, "for connecting and for each answer")->capture_default_str();
  command.add_option("--seed", o.seed, "of everything random")->capture_default_str();
  command.add_option("--method", o.method, "of the request (default: GET, with a body POST)");
  command.add_option("--header", o.headers, "'Name: value'; may be repeated")->allow_extra_args(false);
  command.add_option("--body", o.body, "of the request; @FILE reads it");
  command.add_option("--scenario", o.scenario, "a JSON file of requests");
  command.add_option("--json", o.json, "write the report to this file");
  command.add_option("--html", o.html, "write the report, with plots, to this file as a page");
  command.add_option("--baseline", o.baseline, "compare with a report that --json has written");
  command
      .add_option("--fail-if", o.fail_if,
                  "exit with 1 if it holds, e.g. 'p99>5ms', 'errors>0.1%', 'rps<1000'; may be repeated")
      ->allow_extra_args(false);
  command.add_option("--ca-file", o.ca_file, "PEM of whom to trust, instead of the system's");
  command.add_flag("--insecure", o.insecure, "believe any certificate");
  command.add_flag("--quiet", o.quiet, "no progress");
}

int BenchCommand::run() try {
  const Options& o = *options_;
  const LoadOptions load = o.load();
  const Scenario scenario = o.requests_of(load.target);
  if (load.rate > 0 && scenario.thinks()) {
    throw Error(Code::kInvalidArgument,
                "think times belong to the closed loop; --rate says when requests start");
  }
  std::vector<Threshold> thresholds;
  for (const std::string& text : o.fail_if) thresholds.push_back(Threshold::parse(text));

  std::optional<Report> before;
  if (!o.baseline.empty()) before = parse_report(read_file(o.baseline));

  std::optional<Report> report;
  degu::run([&] {
    LiveView view(load, !o.quiet);
    net::NotifyContext until_stopped(current_context(), {SIGINT, SIGTERM});
    ContextScope scope(until_stopped.context());
    const LoadResult result =
        run_load(load, scenario, [&view](const Progress& progress) { view.show(progress); });
    view.finish();
    report = make_report(load, scenario, o.url, o.scenario, result);
  });

  fmt::print("{}", to_text(*report));
  if (before) fmt::print("{}", to_text(compare_with(*before, *report), *before, *report));
  bool good = true;
  if (!o.json.empty()) good = write_file(o.json, json::to_string(*report) + "\n");
  if (!o.html.empty()) good = write_file(o.html, to_html(*report)) && good;
  if (report->latency.count == 0) {
    fmt::print(stderr, "degu bench: nothing answered\n");
    good = false;
  }
  for (const Threshold& threshold : thresholds) {
    const auto why = threshold.violated(*report);
    if (why) fmt::print(stderr, "degu bench: failed: {}\n", *why);
    good = good && !why;
  }
  return good ? kExitGood : kExitFailed;
} catch (const Error& error) {
  fmt::print(stderr, "degu bench: {}\n", error.message());
  for (const ErrorDetail& detail : error.details())
    fmt::print(stderr, "  {}: {}\n", detail.field, detail.reason);
  return kExitUsage;
}

}  // namespace degu::bench
