// Servers and users are in a simulation: time is virtual, so a run of seconds takes none, and ends the same every time.
#include "load.h"

#include <degu/context/cancel_scope.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sim/sim.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "live_view.h"
#include "report.h"

using namespace std::chrono_literals;

namespace degu::bench {
namespace {

// What a server does with one request: the bytes to answer with; empty closes the connection.
using Answer = std::function<std::string(std::string_view request)>;

const std::string kPong = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong";

void serve(net::TcpStream stream, const Answer& answer) {
  char buffer[4096];
  std::string request;
  for (;;) {
    const net::IoResult got = stream.read(buffer);
    if (got.error != 0 || got.bytes == 0) return;
    request.append(buffer, got.bytes);
    if (!request.ends_with("\r\n\r\n")) continue;  // the network cuts where it likes
    const std::string text = answer(request);
    request.clear();
    if (text.empty() || stream.write(text).error != 0) return;
  }
}

LoadOptions to_server() {
  LoadOptions options;
  options.target = parse_target("http://server:80/");
  options.connections = 2;
  options.timeout = 5s;
  return options;
}

// Runs the load against a server on host "server", in virtual time.
LoadResult load(const LoadOptions& options, const Scenario& scenario, Answer answer, bool reachable = true,
                UniqueFunction<void(const Progress&)> show = {}) {
  LoadResult result;
  const sim::Result run = sim::run({.max_steps = 10'000'000}, [&] {
    net::TcpListener listener;
    if (reachable) {
      const auto on = sim::network().host("server");
      listener = net::TcpListener::listen(":80");
      go([&] {
        for (;;) go([stream = listener.accept(), &answer]() mutable { serve(std::move(stream), answer); });
      });
    }
    const auto on = sim::network().host("client");
    result = run_load(options, scenario, std::move(show));
  });
  EXPECT_TRUE(run.ok()) << run.report();
  return result;
}

Scenario one_request() { return Scenario::single({}, to_server().target); }

uint64_t errors(const LoadResult& result, ErrorKind kind) {
  return result.totals.errors[static_cast<std::size_t>(kind)];
}

double p99_s(const Histogram& histogram) {
  return static_cast<double>(histogram.percentile(99).count()) / 1e9;
}

// A server that answers at once, but not from the third to the sixth second.
std::string stalling_answer(TimePoint begin) {
  const auto since = now() - begin;
  if (since >= 3s && since < 6s) degu::sleep(begin + 6s - now());
  return kPong;
}

TEST(Load, ShowsAStallInTheCorrectedLatencyOnly) {
  LoadOptions options = to_server();
  options.rate = 100;
  options.duration = 10s;
  std::optional<TimePoint> begin;
  const LoadResult result = load(options, one_request(), [&](std::string_view) {
    if (!begin) begin = now();
    return stalling_answer(*begin);
  });
  const Totals& totals = result.totals;
  EXPECT_EQ(totals.latency.count(), 1000u);
  EXPECT_EQ(totals.all_errors(), 0u);
  // Of 1,000 requests 300 were due in the stall, and had to wait for its end; two were sent in it.
  EXPECT_GT(p99_s(totals.latency), 2.8);
  EXPECT_LT(p99_s(totals.latency), 3.1);
  EXPECT_GT(totals.latency.percentile(75), 400ms);
  EXPECT_LT(p99_s(totals.sent), 0.1);
  EXPECT_GT(totals.sent.max(), 2900ms);
  const Report report = make_report(options, one_request(), "u", "", result);
  ASSERT_TRUE(report.latency_uncorrected);
  EXPECT_GT(report.latency.p99_ms, 20 * report.latency_uncorrected->p99_ms);
  EXPECT_NEAR(report.rate, 100, 1);
}

TEST(Load, CannotCorrectAClosedLoop) {
  LoadOptions options = to_server();
  options.requests = 1000;
  std::optional<TimePoint> begin;
  const LoadResult result = load(options, one_request(), [&](std::string_view) {
    if (!begin) begin = now();
    degu::sleep(10ms);
    return stalling_answer(*begin);
  });
  EXPECT_EQ(result.totals.latency.count(), 1000u);
  EXPECT_EQ(result.totals.sent.count(), 0u);
  EXPECT_LT(p99_s(result.totals.latency), 0.1);
  EXPECT_FALSE(make_report(options, one_request(), "u", "", result).latency_uncorrected);
}

TEST(Load, CountsWhatNeverStarted) {
  LoadOptions options = to_server();
  options.rate = 100;
  options.duration = 1s;
  options.timeout = 60s;
  const LoadResult result = load(options, one_request(), [](std::string_view) {
    degu::sleep(1h);
    return kPong;
  });
  EXPECT_EQ(result.totals.all_requests(), 0u);
  EXPECT_EQ(result.totals.unfinished, 2u);
  EXPECT_EQ(result.never_started, 98u);
  EXPECT_FALSE(result.interrupted);
}

TEST(Load, StopsAtItsNumber) {
  LoadOptions options = to_server();
  options.requests = 25;
  const LoadResult result = load(options, one_request(), [](std::string_view) { return kPong; });
  EXPECT_EQ(result.totals.latency.count(), 25u);
  EXPECT_EQ(result.totals.statuses, (std::map<int, uint64_t>{{200, 25}}));
  EXPECT_EQ(result.totals.bytes_in, 25 * kPong.size());
  EXPECT_EQ(result.totals.bytes_out, 25 * one_request().requests()[0].request.fixed().size());
  EXPECT_EQ(result.totals.unfinished, 0u);
}

TEST(Load, LeavesTheWarmUpOut) {
  LoadOptions options = to_server();
  options.rate = 100;
  options.warmup = 2s;
  options.duration = 3s;
  std::optional<TimePoint> begin;
  uint64_t served = 0;
  bool warmed_up = false;
  const LoadResult result = load(
      options, one_request(),
      [&](std::string_view) {
        if (!begin) begin = now();
        ++served;
        if (now() - *begin < 1s) degu::sleep(500ms);
        return kPong;
      },
      true, [&](const Progress& progress) { warmed_up = warmed_up || progress.warming_up; });
  EXPECT_TRUE(warmed_up);
  EXPECT_EQ(served, 500u);
  EXPECT_EQ(result.totals.latency.count(), 300u);
  EXPECT_LT(result.totals.latency.max(), 200ms);
  EXPECT_EQ(result.measured, 3s);
}

TEST(Load, CutsTheMeasuredTimeIntoIntervals) {
  LoadOptions options = to_server();
  options.rate = 100;
  options.duration = 6s;
  const LoadResult result = load(options, one_request(), [](std::string_view) { return kPong; });
  ASSERT_GE(result.timeline.size(), 50u);
  uint64_t requests = 0;
  std::chrono::nanoseconds end{0};
  for (const Interval& interval : result.timeline) {
    EXPECT_EQ(interval.begin, end);
    end += interval.length;
    requests += interval.requests;
  }
  EXPECT_EQ(end, 6s);
  EXPECT_NEAR(static_cast<double>(requests), 600, 2);
}

TEST(Load, TellsErrorsApart) {
  LoadOptions options = to_server();
  options.connections = 1;
  options.requests = 4;
  options.timeout = 1s;
  int call = 0;
  const LoadResult result = load(options, one_request(), [&](std::string_view) -> std::string {
    switch (call++) {
      case 0:
        return "";
      case 1:
        return "nonsense\r\n\r\n";
      case 2:
        return "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
      default:
        degu::sleep(10s);
        return kPong;
    }
  });
  EXPECT_EQ(errors(result, ErrorKind::kReset), 1u);
  EXPECT_EQ(errors(result, ErrorKind::kParse), 1u);
  EXPECT_EQ(errors(result, ErrorKind::kStatus), 1u);
  EXPECT_EQ(errors(result, ErrorKind::kTimeout), 1u);
  EXPECT_EQ(result.totals.all_requests(), 4u);
  EXPECT_EQ(result.totals.latency.count(), 1u);
  EXPECT_FALSE(result.first_errors[static_cast<std::size_t>(ErrorKind::kParse)].empty());
}

TEST(Load, EndsAResponseThatTrickles) {
  LoadOptions options = to_server();
  options.connections = 1;
  options.requests = 1;
  options.timeout = 1s;
  const LoadResult result = load(options, one_request(), [](std::string_view) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfew";
  });
  EXPECT_EQ(errors(result, ErrorKind::kTimeout), 1u);
}

TEST(Load, CountsRefusedConnectionsWithoutHammering) {
  LoadOptions options = to_server();
  options.duration = 1s;
  const LoadResult result = load(options, one_request(), {}, false);
  EXPECT_GT(errors(result, ErrorKind::kConnect), 0u);
  EXPECT_LE(errors(result, ErrorKind::kConnect), 202u);  // two users, a pause of 10 ms each
  EXPECT_EQ(result.totals.all_requests(), errors(result, ErrorKind::kConnect));
}

TEST(Load, ConnectsAgainWhereTheServerCloses) {
  LoadOptions options = to_server();
  options.requests = 10;
  const LoadResult result = load(options, one_request(), [](std::string_view) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  });
  EXPECT_EQ(result.totals.latency.count(), 10u);
  EXPECT_EQ(result.totals.all_errors(), 0u);
}

TEST(Load, EndsWithItsContext) {
  LoadOptions options = to_server();
  options.duration = 1h;
  LoadResult result;
  const sim::Result run = sim::run({}, [&] {
    const auto [context, cancel] = with_timeout(current_context(), 3s);
    const ContextScope scope(context);
    const auto on = sim::network().host("client");
    result = run_load(options, one_request(), {});
    sim::expect(!current_context().time_left().count(), "it ended too early");
  });
  EXPECT_TRUE(run.ok()) << run.report();
  EXPECT_TRUE(result.interrupted);
  EXPECT_LT(result.measured, 4s);
}

TEST(Load, AsksFirstForValuesOfAnswers) {
  LoadOptions options = to_server();
  options.requests = 20;
  const Scenario scenario = Scenario::parse(R"({
    "variables": {"token": {"from": "login", "pointer": "/token"}},
    "requests": [{"name": "login", "weight": 0, "path": "/login"}, {"name": "use", "path": "/use/${token}"}]})",
                                            options.target);
  int logins = 0;
  const LoadResult result = load(options, scenario, [&](std::string_view request) -> std::string {
    if (request.starts_with("GET /login ")) {
      ++logins;
      return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"token\":\r\n6\r\n\"a/b\" "
             "\r\n1\r\n}\r\n0\r\n\r\n";
    }
    return request.starts_with("GET /use/a%2Fb ") ? kPong : "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n";
  });
  EXPECT_EQ(logins, 2);  // once for each user
  EXPECT_EQ(result.totals.requests[0].latency.count(), 2u);
  EXPECT_EQ(result.totals.requests[1].latency.count(), 20u);
  EXPECT_EQ(result.totals.all_errors(), 0u);
}

TEST(Load, ReportsAnswersWithoutTheirValue) {
  LoadOptions options = to_server();
  options.requests = 3;
  const Scenario scenario = Scenario::parse(R"({
    "variables": {"token": {"from": "login", "pointer": "/token"}},
    "requests": [{"name": "login", "weight": 0, "path": "/login"}, {"name": "use", "path": "/use/${token}"}]})",
                                            options.target);
  const LoadResult result = load(options, scenario, [](std::string_view) { return kPong; });
  EXPECT_EQ(errors(result, ErrorKind::kExtract), 3u);
  EXPECT_EQ(result.totals.requests[1].latency.count(), 0u);
}

TEST(LiveView, FitsItsLine) {
  LoadOptions options = to_server();
  options.duration = 10s;
  Progress progress;
  progress.elapsed = 5s;
  progress.latest = {.length = 500ms, .requests = 5000, .p50 = 210us, .p99 = 3210us};
  progress.errors = 3;
  EXPECT_EQ(LiveView::line(progress, options, 200),
            "   5.0 s [########........]  50% 10000/s  p50 210 us  p99 3.21 ms  errors 3");
  EXPECT_EQ(LiveView::line(progress, options, 12), "   5.0 s [##");
  progress.warming_up = true;
  options.duration = 0s;
  EXPECT_EQ(LiveView::line(progress, options, 80), "   5.0 s warming up");
}

}  // namespace
}  // namespace degu::bench
