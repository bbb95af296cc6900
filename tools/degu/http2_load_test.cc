// Degu's own server and servers that do what a test says, right or wrong. In a simulation: time is virtual, and the network
// cuts where it likes.
#include <degu/context/cancel_scope.h>
#include <degu/http/router.h>
#include <degu/http/server.h>
#include <degu/http/testing/frame_client.h>
#include <degu/net/tcp.h>
#include <degu/net/testing/test_authority.h>
#include <degu/net/tls.h>
#include <degu/rt/run.h>
#include <degu/sim/sim.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <set>
#include <string>

#include "http2_connection.h"
#include "live_view.h"
#include "load.h"
#include "report.h"

using namespace std::chrono_literals;

namespace degu::bench {
namespace {

using degu::testing::Fields;
using degu::testing::Frame;
using degu::testing::FrameClient;
using ::testing::HasSubstr;

LoadOptions to_server(int connections, int streams) {
  LoadOptions options;
  options.target = parse_target("http://server:80/ping");
  options.target.http2 = true;
  options.connections = connections;
  options.streams = streams;
  options.timeout = 5s;
  return options;
}

Scenario one_request(const LoadOptions& options) {
  return Scenario::single({.path = options.target.path}, options.target);
}

uint64_t errors(const LoadResult& result, ErrorKind kind) {
  return result.totals.errors[static_cast<std::size_t>(kind)];
}
const std::string& first_error(const LoadResult& result, ErrorKind kind) {
  return result.first_errors[static_cast<std::size_t>(kind)];
}
uint64_t cause(const LoadResult& result, const std::string& name) {
  const auto found = result.totals.causes.find(name);
  return found == result.totals.causes.end() ? 0 : found->second;
}

// --- Degu's server

struct Served {
  LoadResult result;
  uint64_t requests = 0;  // by the server's count
};

Served load(const LoadOptions& options, const Scenario& scenario, http::Router router,
            http::ServerOptions server_options = {}) {
  Served served;
  const sim::Result run = sim::run({.max_steps = 10'000'000}, [&] {
    net::TcpListener listener;
    WaitGroup serving;
    http::Server server(std::move(router), std::move(server_options));
    {
      const auto on = sim::network().host("server");
      listener = net::TcpListener::listen(":80");
      serving.go([&] { server.serve(listener); });
    }
    {
      const auto on = sim::network().host("client");
      served.result = run_load(options, scenario, {});
    }
    server.shutdown(1s);
    serving.wait();
    served.requests = server.requests();
  });
  EXPECT_TRUE(run.ok()) << run.report();
  return served;
}

http::Router ping_router() {
  http::Router router;
  router.get("/ping", [](http::Exchange& c) { c.text(200, "pong"); });
  return router;
}

TEST(Http2Load, CountsWhatTheServerCounts) {
  LoadOptions options = to_server(3, 7);
  options.requests = 500;
  const auto [result, requests] = load(options, one_request(options), ping_router());
  EXPECT_EQ(requests, 500U);
  EXPECT_EQ(result.totals.latency.count(), 500U);
  EXPECT_EQ(result.totals.statuses, (std::map<int, uint64_t>{{200, 500}}));
  EXPECT_EQ(result.totals.all_errors(), 0U);
  EXPECT_EQ(result.totals.unfinished, 0U);
  EXPECT_GT(result.totals.bytes_in, 500 * (9U + 4));
  EXPECT_GT(result.totals.bytes_out, 500 * 9U);
  const Report report = make_report(options, one_request(options), "u", "", result);
  EXPECT_EQ(report.settings.protocol, "HTTP/2");
  EXPECT_EQ(report.settings.streams, 7);
  EXPECT_THAT(to_text(report), HasSubstr("HTTP/2, closed loop, 3 connections of 7 streams"));
}

TEST(Http2Load, FillsItsStreams) {
  int now_running = 0;
  int most = 0;
  http::Router router;
  router.get("/ping", [&](http::Exchange& c) {
    most = std::max(most, ++now_running);
    degu::sleep(100ms);
    --now_running;
    c.text(200, "pong");
  });
  LoadOptions options = to_server(2, 5);
  options.requests = 100;
  const auto [result, requests] = load(options, one_request(options), std::move(router));
  EXPECT_EQ(most, 10);
  EXPECT_EQ(requests, 100U);
  EXPECT_EQ(result.totals.latency.count(), 100U);
  EXPECT_GE(result.totals.latency.min(), 100ms);
}

// What Load.ShowsAStallInTheCorrectedLatencyOnly shows of HTTP/1.1: ten requests are sent into the stall, the others wait.
TEST(Http2Load, ShowsAStallInTheCorrectedLatencyOnly) {
  std::optional<TimePoint> begin;
  http::Router router;
  router.get("/ping", [&](http::Exchange& c) {
    if (!begin) begin = now();
    const auto since = now() - *begin;
    if (since >= 3s && since < 6s) degu::sleep(*begin + 6s - now());
    c.text(200, "pong");
  });
  LoadOptions options = to_server(2, 5);
  options.rate = 200;
  options.requests = 2000;
  const auto [result, requests] = load(options, one_request(options), std::move(router));
  EXPECT_EQ(result.totals.latency.count(), 2000U);
  EXPECT_EQ(requests, 2000U);
  EXPECT_EQ(result.totals.all_errors(), 0U);
  EXPECT_GT(result.totals.latency.percentile(99), 2800ms);
  EXPECT_LT(result.totals.latency.percentile(99), 3100ms);
  EXPECT_GT(result.totals.latency.percentile(75), 400ms);
  EXPECT_LT(result.totals.sent.percentile(99), 100ms);
  EXPECT_GT(result.totals.sent.max(), 2900ms);
  EXPECT_EQ(result.never_started, 0U);
}

TEST(Http2Load, StartsByThePlan) {
  LoadOptions options = to_server(1, 50);
  options.rate = 10;
  options.duration = 5s;
  const auto [result, requests] = load(options, one_request(options), ping_router());
  EXPECT_EQ(requests, 50U);
  EXPECT_LT(result.totals.latency.max(), 100ms);
  EXPECT_EQ(result.measured, 5s);
}

TEST(Http2Load, CountsWhatNeverStartedAndWhatDidNotEnd) {
  http::Router router;
  router.get("/ping", [&](http::Exchange&) { degu::sleep(1h); });
  LoadOptions options = to_server(2, 3);
  options.rate = 100;
  options.duration = 1s;
  options.timeout = 60s;
  const auto [result, requests] = load(options, one_request(options), std::move(router));
  EXPECT_EQ(requests, 6U);
  EXPECT_EQ(result.totals.all_requests(), 0U);
  EXPECT_EQ(result.totals.unfinished, 6U);
  EXPECT_EQ(result.never_started, 94U);
  EXPECT_FALSE(result.interrupted);
}

TEST(Http2Load, LeavesTheWarmUpOut) {
  LoadOptions options = to_server(1, 4);
  options.rate = 100;
  options.warmup = 2s;
  options.duration = 3s;
  const auto [result, requests] = load(options, one_request(options), ping_router());
  EXPECT_EQ(requests, 500U);
  EXPECT_EQ(result.totals.latency.count(), 300U);
}

TEST(Http2Load, SendsBodiesThroughTheWindows) {
  std::size_t bytes = 0;
  http::Router router;
  router.post("/upload", [&](http::Exchange& c) {
    bytes += c.body().size();
    c.raw(200, "text/plain", std::string(300'000, 'x'));
  });
  LoadOptions options = to_server(2, 3);
  options.requests = 12;
  options.timeout = 10min;  // the network may be a slow one
  const Scenario scenario = Scenario::single(
      {.method = "POST", .path = "/upload", .body = std::string(250'000, 'b')}, options.target);
  const auto [result, requests] = load(options, scenario, std::move(router));
  EXPECT_EQ(requests, 12U);
  EXPECT_EQ(bytes, 12 * 250'000U);
  EXPECT_EQ(result.totals.statuses, (std::map<int, uint64_t>{{200, 12}}));
  EXPECT_GT(result.totals.bytes_in, 12 * 300'000U);
}

// A server may refuse a body before it has read it.
TEST(Http2Load, TakesAnAnswerThatComesBeforeTheBodyIsSent) {
  http::Router router;
  router.post("/upload", [&](http::Exchange& c) { c.empty(204); });
  http::ServerOptions limited;
  limited.max_body_bytes = 1000;
  LoadOptions options = to_server(1, 2);
  options.requests = 6;
  const Scenario scenario = Scenario::single(
      {.method = "POST", .path = "/upload", .body = std::string(250'000, 'b')}, options.target);
  const auto [result, requests] = load(options, scenario, std::move(router), limited);
  EXPECT_EQ(result.totals.statuses, (std::map<int, uint64_t>{{413, 6}}));
  EXPECT_EQ(errors(result, ErrorKind::kStatus), 6U);
  EXPECT_EQ(result.totals.all_errors(), 6U);
}

TEST(Http2Load, PlaysAScenario) {
  int logins = 0;
  std::set<std::string> skus;
  http::Router router;
  router.post("/login", [&](http::Exchange& c) {
    EXPECT_EQ(c.body(), R"({"user":"demo"})");
    EXPECT_EQ(c.header("content-type"), "application/json");
    c.raw(200, "application/json", R"({"token": "t/)" + std::to_string(++logins) + R"("})");
  });
  router.get("/use/:token", [&](http::Exchange& c) {
    skus.insert(std::string(c.query("sku")));
    c.text(c.param("token").starts_with("t/") && c.header("x-all") == "1" ? 200 : 400, "");
  });
  LoadOptions options = to_server(2, 3);
  options.requests = 60;
  const Scenario scenario = Scenario::parse(R"({
    "headers": {"X-All": "1"},
    "variables": {"token": {"from": "login", "pointer": "/token"},
                  "sku": {"list": ["a b", "c&d"], "order": "sequential"}},
    "requests": [{"name": "login", "weight": 0, "method": "POST", "path": "/login", "body": {"user": "demo"}},
                 {"name": "use", "path": "/use/${token}?sku=${sku}", "think": "10ms"}]})",
                                            options.target);
  const auto [result, requests] = load(options, scenario, std::move(router));
  EXPECT_EQ(logins, 6);  // once for each stream's user
  EXPECT_EQ(skus, (std::set<std::string>{"a b", "c&d"}));
  EXPECT_EQ(result.totals.requests[0].latency.count(), 6U);
  EXPECT_EQ(result.totals.requests[1].latency.count(), 60U);
  EXPECT_EQ(result.totals.all_errors(), 0U) << first_error(result, ErrorKind::kStatus);
  EXPECT_EQ(requests, 66U);
}

TEST(Http2Load, ReportsAnswersWithoutTheirValue) {
  http::Router router;
  router.get("/login", [](http::Exchange& c) { c.text(200, "no JSON"); });
  LoadOptions options = to_server(1, 2);
  options.requests = 3;
  const Scenario scenario = Scenario::parse(R"({
    "variables": {"token": {"from": "login", "pointer": "/token"}},
    "requests": [{"name": "login", "weight": 0, "path": "/login"}, {"name": "use", "path": "/use/${token}"}]})",
                                            options.target);
  const auto [result, requests] = load(options, scenario, std::move(router));
  EXPECT_EQ(errors(result, ErrorKind::kExtract), 3U);
  EXPECT_EQ(result.totals.requests[1].latency.count(), 0U);
  EXPECT_EQ(requests, 3U);
}

TEST(Http2Load, ASilentEndOfAnIdleConnectionIsNoError) {
  http::ServerOptions impatient;
  impatient.idle_timeout = 1s;
  LoadOptions options = to_server(1, 2);
  options.rate = 0.2;
  options.duration = 30s;
  const auto [result, requests] = load(options, one_request(options), ping_router(), impatient);
  EXPECT_EQ(requests, 6U);
  EXPECT_EQ(result.totals.latency.count(), 6U);
  EXPECT_EQ(result.totals.all_errors(), 0U);
}

TEST(Http2Load, EndsWithItsContext) {
  http::Router router;
  router.get("/ping", [&](http::Exchange&) { degu::sleep(1h); });
  LoadOptions options = to_server(1, 4);
  options.duration = 1h;
  options.timeout = 1h;
  LoadResult result;
  const sim::Result run = sim::run({}, [&] {
    net::TcpListener listener;
    http::Server server(std::move(router));
    WaitGroup serving;
    {
      const auto on = sim::network().host("server");
      listener = net::TcpListener::listen(":80");
      serving.go([&] { server.serve(listener); });
    }
    {
      const auto [context, cancel] = with_timeout(current_context(), 3s);
      const ContextScope scope(context);
      const auto on = sim::network().host("client");
      result = run_load(options, one_request(options), {});
    }
    server.shutdown(0s);
    serving.wait();
  });
  EXPECT_TRUE(run.ok()) << run.report();
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.totals.unfinished, 4U);
  EXPECT_LT(result.measured, 4s);
}

// --- Servers that do what a test says

class Peer {
 public:
  explicit Peer(net::TcpStream stream) : stream_(std::move(stream)) {}

  /// Takes the preface; the payload of its SETTINGS is `settings`. False: the client has gone.
  bool greet(std::string_view settings = {}) {
    if (!fill(FrameClient::kPreface.size())) return false;
    EXPECT_EQ(input_.substr(0, FrameClient::kPreface.size()), FrameClient::kPreface);
    input_.erase(0, FrameClient::kPreface.size());
    return send(FrameClient::kSettings, 0, 0, settings);
  }
  /// Nothing: the client has gone.
  std::optional<Frame> next() {
    if (!fill(9)) return std::nullopt;
    const std::size_t size = number(0, 3);
    if (!fill(9 + size)) return std::nullopt;
    Frame got{static_cast<uint8_t>(input_[3]), static_cast<uint8_t>(input_[4]),
              static_cast<uint32_t>(number(5, 4)), input_.substr(9, size)};
    input_.erase(0, 9 + size);
    return got;
  }
  /// The stream of the next request, or 0.
  uint32_t next_request() {
    for (auto got = next(); got; got = next()) {
      if (got->type == FrameClient::kReset) resets.insert(got->stream);
      if (got->type == FrameClient::kHeaders) return got->stream;
    }
    return 0;
  }
  bool send_raw(std::string_view bytes) { return stream_.write({bytes.data(), bytes.size()}).error == 0; }
  bool send(uint8_t type, uint8_t flags, uint32_t id, std::string_view payload) {
    return send_raw(FrameClient::frame(type, flags, id, payload));
  }
  bool answer(uint32_t id) {
    return send(FrameClient::kHeaders, FrameClient::kEndHeaders, id, kStatus200) &&
           send(FrameClient::kData, FrameClient::kEndStream, id, "pong");
  }
  bool go_away(uint32_t last, uint32_t code) {
    return send(FrameClient::kGoaway, 0, 0, FrameClient::number(last, 4) + FrameClient::number(code, 4));
  }

  static constexpr std::string_view kStatus200 = "\x88";
  std::set<uint32_t> resets;

 private:
  std::size_t number(std::size_t at, std::size_t bytes) const {
    std::size_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value * 256 + static_cast<unsigned char>(input_[at + i]);
    return value;
  }
  bool fill(std::size_t wanted) {
    std::array<char, 4096> part;
    while (input_.size() < wanted) {
      const net::IoResult got = stream_.read(part);
      if (got.bytes == 0) return false;
      input_.append(part.data(), got.bytes);
    }
    return true;
  }

  net::TcpStream stream_;
  std::string input_;
};

// `talk` serves a connection, which is closed when it returns; `nth` counts them from 0.
using Talk = std::function<void(Peer& peer, int nth)>;

LoadResult load_with(const LoadOptions& options, const Scenario& scenario, const Talk& talk,
                     int* connections = nullptr) {
  LoadResult result;
  int count = 0;
  const sim::Result run = sim::run({.max_steps = 10'000'000}, [&] {
    net::TcpListener listener;
    {
      const auto on = sim::network().host("server");
      listener = net::TcpListener::listen(":80");
      go([&] {
        while (true) {
          go([stream = listener.accept(), &talk, nth = count++]() mutable {
            Peer peer(std::move(stream));
            talk(peer, nth);
          });
        }
      });
    }
    const auto on = sim::network().host("client");
    result = run_load(options, scenario, {});
  });
  EXPECT_TRUE(run.ok()) << run.report();
  if (connections != nullptr) *connections = count;
  return result;
}

LoadResult load_with(const LoadOptions& options, const Talk& talk, int* connections = nullptr) {
  return load_with(options, one_request(options), talk, connections);
}

void answer_all(Peer& peer) {
  while (const uint32_t id = peer.next_request()) peer.answer(id);
}

TEST(Http2Load, KeepsToTheServersLimitOfStreams) {
  LoadOptions options = to_server(1, 5);
  options.requests = 40;
  bool broken = false;
  int connections = 0;
  const LoadResult result = load_with(
      options,
      [&](Peer& peer, int) {
        peer.greet(std::string("\0\3\0\0\0\2", 6));
        while (true) {
          const uint32_t first = peer.next_request();
          if (first == 0) return;
          degu::sleep(50ms);  // whatever else comes is there by then
          const uint32_t second = peer.next_request();
          peer.answer(first);
          if (second != 0) peer.answer(second);
          broken = broken || (second != 0 && second != first + 2);
        }
      },
      &connections);
  EXPECT_FALSE(broken);
  EXPECT_EQ(result.totals.latency.count(), 40U);
  EXPECT_EQ(result.totals.all_errors(), 0U);
  EXPECT_EQ(connections, 1);
  Report report = make_report(options, one_request(options), "u", "", result);
  EXPECT_EQ(report.stream_limit, 2U);
  EXPECT_THAT(to_text(report), HasSubstr("takes 2 streams"));
  options.streams = 2;
  report = make_report(options, one_request(options), "u", "", result);
  EXPECT_FALSE(report.stream_limit);  // it is what was asked for
  EXPECT_THAT(to_text(report), ::testing::Not(HasSubstr("takes")));
}

TEST(Http2Load, CountsResetsByTheirCode) {
  LoadOptions options = to_server(1, 3);
  options.requests = 30;
  int connections = 0;
  const LoadResult result = load_with(
      options,
      [](Peer& peer, int) {
        peer.greet();
        for (uint32_t i = 0; const uint32_t id = peer.next_request(); ++i) {
          if (i % 3 == 0) {
            peer.answer(id);
          } else {
            const uint32_t code = i % 3 == 1 ? 7 : 1000 + i;  // REFUSED_STREAM, and codes that nobody knows
            peer.send(FrameClient::kReset, 0, id, FrameClient::number(code, 4));
          }
        }
      },
      &connections);
  EXPECT_EQ(result.totals.latency.count(), 10U);
  EXPECT_EQ(errors(result, ErrorKind::kReset), 20U);
  EXPECT_EQ(cause(result, "RST_STREAM REFUSED_STREAM"), 10U);
  EXPECT_EQ(cause(result, "RST_STREAM an unknown code"), 10U);
  EXPECT_EQ(result.totals.causes.size(), 2U);
  EXPECT_EQ(connections, 1);
  const Report report = make_report(options, one_request(options), "u", "", result);
  EXPECT_EQ(report.reset_causes.at("RST_STREAM REFUSED_STREAM"), 10U);
  EXPECT_THAT(to_text(report), HasSubstr("RST_STREAM REFUSED_STREAM 10"));
}

// RFC 9113 section 6.8: what is behind the last stream of a GOAWAY may be sent again.
TEST(Http2Load, SendsAgainWhatAGoawayLeftOut) {
  LoadOptions options = to_server(1, 4);
  options.requests = 100;
  int connections = 0;
  uint64_t answered = 0;
  const LoadResult result = load_with(
      options,
      [&](Peer& peer, int) {
        peer.greet();
        uint32_t last = 0;
        for (int i = 0; i < 10; ++i) {
          last = peer.next_request();
          if (last == 0) return;
          if (i < 8) {
            peer.answer(last);
            ++answered;
          }
        }
        peer.go_away(last - 2, 0);  // of two that wait one is answered
        peer.answer(last - 2);
        ++answered;
        while (peer.next()) {
        }
      },
      &connections);
  EXPECT_EQ(result.totals.latency.count(), 100U);
  EXPECT_EQ(result.totals.all_errors(), 0U);
  EXPECT_EQ(answered, 100U);
  EXPECT_GE(connections, 11);
}

TEST(Http2Load, AGoawayByErrorFailsWhatWasTaken) {
  LoadOptions options = to_server(1, 3);
  options.requests = 3;
  const LoadResult result = load_with(options, [](Peer& peer, int nth) {
    peer.greet();
    if (nth > 0) return answer_all(peer);
    for (int i = 0; i < 3; ++i) peer.next_request();
    peer.go_away(3, 11);  // the third was not looked at
  });
  EXPECT_EQ(result.totals.latency.count(), 1U);
  EXPECT_EQ(errors(result, ErrorKind::kReset), 2U);
  EXPECT_EQ(cause(result, "GOAWAY ENHANCE_YOUR_CALM"), 2U);
  EXPECT_THAT(first_error(result, ErrorKind::kReset), HasSubstr("GOAWAY ENHANCE_YOUR_CALM"));
}

TEST(Http2Load, GivesUpOnAServerThatProcessesNothing) {
  LoadOptions options = to_server(1, 2);
  options.requests = 4;
  int connections = 0;
  const LoadResult result = load_with(
      options,
      [](Peer& peer, int) {
        peer.greet();
        peer.next_request();
        peer.go_away(0, 0);
        while (peer.next()) {
        }
      },
      &connections);
  EXPECT_EQ(result.totals.latency.count(), 0U);
  EXPECT_EQ(errors(result, ErrorKind::kReset), 4U);
  EXPECT_EQ(cause(result, "GOAWAY NO_ERROR"), 4U);
  EXPECT_LE(connections, 20);
}

TEST(Http2Load, FailsWhatIsUnderWayWhenTheConnectionBreaks) {
  LoadOptions options = to_server(1, 3);
  options.requests = 6;
  const LoadResult result = load_with(options, [](Peer& peer, int nth) {
    peer.greet();
    if (nth > 0) return answer_all(peer);
    for (int i = 0; i < 3; ++i) peer.next_request();
    peer.send(FrameClient::kHeaders, FrameClient::kEndHeaders, 1, Peer::kStatus200);  // not all of it
  });
  EXPECT_EQ(errors(result, ErrorKind::kReset), 3U);
  EXPECT_EQ(result.totals.latency.count(), 3U);
  EXPECT_TRUE(result.totals.causes.empty());
}

TEST(Http2Load, TimesOutWithoutEndingTheConnection) {
  LoadOptions options = to_server(1, 2);
  options.requests = 9;
  options.timeout = 1s;
  int connections = 0;
  std::set<uint32_t> resets;
  const LoadResult result = load_with(
      options,
      [&](Peer& peer, int) {
        peer.greet();
        for (int i = 0; const uint32_t id = peer.next_request(); ++i) {
          resets = peer.resets;
          if (i % 3 != 0) peer.answer(id);
        }
      },
      &connections);
  EXPECT_EQ(errors(result, ErrorKind::kTimeout), 3U);
  EXPECT_EQ(result.totals.latency.count(), 6U);
  EXPECT_EQ(connections, 1);
  EXPECT_GE(resets.size(), 1U);
}

TEST(Http2Load, EndsAnAnswerThatTrickles) {
  LoadOptions options = to_server(1, 1);
  options.requests = 1;
  options.timeout = 1s;
  const LoadResult result = load_with(options, [](Peer& peer, int) {
    peer.greet();
    const uint32_t id = peer.next_request();
    peer.send(FrameClient::kHeaders, FrameClient::kEndHeaders, id, Peer::kStatus200);
    while (peer.send(FrameClient::kData, 0, id, "x")) degu::sleep(100ms);
  });
  EXPECT_EQ(errors(result, ErrorKind::kTimeout), 1U);
}

TEST(Http2Load, TakesTheLastOfSeveralHeads) {
  LoadOptions options = to_server(1, 1);
  options.requests = 2;
  const LoadResult result = load_with(options, [](Peer& peer, int) {
    peer.greet();
    while (const uint32_t id = peer.next_request()) {
      peer.send(FrameClient::kHeaders, FrameClient::kEndHeaders, id,
                FrameClient::block({{":status", "103"}}));
      peer.send(FrameClient::kHeaders, FrameClient::kEndHeaders, id,
                FrameClient::block({{":status", "503"}}));
      peer.send(FrameClient::kData, 0, id, "sorry");
      peer.send(FrameClient::kHeaders, FrameClient::kEndHeaders | FrameClient::kEndStream, id,
                FrameClient::block({{"x-sum", "1"}}));
    }
  });
  EXPECT_EQ(result.totals.statuses, (std::map<int, uint64_t>{{503, 2}}));
  EXPECT_EQ(errors(result, ErrorKind::kStatus), 2U);
}

// A malformed answer ends its stream only (section 8.1.1).
TEST(Http2Load, CountsMalformedAnswers) {
  const std::vector<std::pair<const char*, Fields>> heads{
      {"no status", {{"a", "1"}}},
      {"upper-case name", {{":status", "200"}, {"X-Up", "1"}}},
      {"connection field", {{":status", "200"}, {"connection", "close"}}},
      {"status 101", {{":status", "101"}}},
      {"status of two digits", {{":status", "20"}}},
      {"two statuses", {{":status", "200"}, {":status", "200"}}},
      {"length that is wrong", {{":status", "200"}, {"content-length", "5"}}},
  };
  for (const auto& [name, fields] : heads) {
    LoadOptions options = to_server(1, 1);
    options.requests = 3;
    int connections = 0;
    const LoadResult result = load_with(
        options,
        [&fields = fields](Peer& peer, int) {
          peer.greet();
          for (int i = 0; const uint32_t id = peer.next_request(); ++i) {
            if (i != 1) {
              peer.answer(id);
              continue;
            }
            peer.send(FrameClient::kHeaders, FrameClient::kEndHeaders, id, FrameClient::block(fields));
            peer.send(FrameClient::kData, FrameClient::kEndStream, id, "pong");
          }
        },
        &connections);
    EXPECT_EQ(errors(result, ErrorKind::kParse), 1U) << name;
    EXPECT_EQ(result.totals.latency.count(), 2U) << name;
    EXPECT_EQ(connections, 1) << name;
  }
}

// Sections 4 to 6: faults of the connection end it, with all that is under way.
TEST(Http2Load, SurvivesConnectionsThatAreAgainstTheRules) {
  const std::vector<std::pair<const char*, std::string>> faults{
      {"garbage", "\xff\xfe garbage that is no frame at all \x01\x02\x03"},
      {"frame too large", FrameClient::frame(FrameClient::kData, 0, 1, std::string(16'385, 'x'))},
      {"DATA on an idle stream", FrameClient::frame(FrameClient::kData, 0, 99, "x")},
      {"PUSH_PROMISE, which the client has switched off",
       FrameClient::frame(FrameClient::kSettings, FrameClient::kAck, 0, {}) +
           FrameClient::frame(FrameClient::kPush, 4, 1, FrameClient::number(2, 4) + "\x82")},
      {"block that is no HPACK", FrameClient::frame(FrameClient::kHeaders, 4, 1, "\xff\xff\xff\xff\xff\xff")},
      {"CONTINUATION alone", FrameClient::frame(FrameClient::kContinuation, 4, 1, "\x88")},
      {"window that grows by nothing",
       FrameClient::frame(FrameClient::kWindow, 0, 0, FrameClient::number(0, 4))},
  };
  for (const auto& [name, bytes] : faults) {
    LoadOptions options = to_server(1, 2);
    options.requests = 4;
    const LoadResult result = load_with(options, [&bytes = bytes](Peer& peer, int nth) {
      peer.greet();
      if (nth > 0) return answer_all(peer);
      peer.next_request();
      peer.next_request();
      peer.send_raw(bytes);
      while (peer.next()) {
      }
    });
    EXPECT_EQ(errors(result, ErrorKind::kParse), 2U) << name;
    EXPECT_EQ(result.totals.latency.count(), 2U) << name;
    EXPECT_FALSE(first_error(result, ErrorKind::kParse).empty()) << name;
  }
}

TEST(Http2Load, TellsWhyItCannotConnect) {
  const std::vector<std::pair<const char*, Talk>> servers{
      {"speaks HTTP/1.1 only",
       [](Peer& peer, int) { peer.send_raw("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"); }},
      {"closed the connection instead", [](Peer&, int) {}},
      {"does not greet",
       [](Peer& peer, int) {
         while (peer.next()) {
         }
       }},
      {"takes no requests",
       [](Peer& peer, int) {
         peer.greet(std::string("\0\3\0\0\0\0", 6));
         while (peer.next()) {
         }
       }},
      {"GOAWAY",
       [](Peer& peer, int) {
         peer.greet(std::string("\0\3\0\0\0\0", 6));
         peer.go_away(0, 2);
         while (peer.next()) {
         }
       }},
  };
  for (const auto& [why, talk] : servers) {
    LoadOptions options = to_server(1, 2);
    options.requests = 2;
    options.timeout = 1s;
    const LoadResult result = load_with(options, talk);
    EXPECT_EQ(errors(result, ErrorKind::kConnect), 2U) << why;
    EXPECT_EQ(result.totals.all_requests(), 2U) << why;
    // However the simulated network cuts the first bytes, they are no HTTP/2.
    if (std::string_view(why) == "speaks HTTP/1.1 only") continue;
    EXPECT_THAT(first_error(result, ErrorKind::kConnect), HasSubstr(why));
  }
}

TEST(Http2Load, ConnectsWithoutHammering) {
  LoadOptions options = to_server(2, 10);
  options.duration = 1s;
  LoadResult result;
  const sim::Result run = sim::run({}, [&] {
    const auto on = sim::network().host("client");
    result = run_load(options, one_request(options), {});
  });
  EXPECT_TRUE(run.ok()) << run.report();
  EXPECT_GT(errors(result, ErrorKind::kConnect), 0U);
  EXPECT_LE(errors(result, ErrorKind::kConnect), 202U);  // of two connections, a pause of 10 ms each
}

TEST(Http2Load, QuotesServersWithoutTheirControlCharacters) {
  LoadOptions options = to_server(1, 1);
  options.requests = 1;
  const LoadResult result = load_with(options, [](Peer& peer, int) {
    peer.greet();
    const uint32_t id = peer.next_request();
    peer.send(FrameClient::kHeaders, FrameClient::kEndHeaders, id,
              FrameClient::block({{":status", "200"}, {"a", "\x1b[2Jred\x07"}}));
    while (peer.next()) {
    }
  });
  ASSERT_EQ(errors(result, ErrorKind::kParse), 1U);
  for (const char c : first_error(result, ErrorKind::kParse)) EXPECT_TRUE(c >= ' ' && c <= '~');
}

TEST(Http2Load, ShowsItsProtocol) {
  LoadOptions options = to_server(1, 1);
  EXPECT_THAT(LiveView::line({}, options, 200), HasSubstr("HTTP/2"));
  options.target.http2 = false;
  EXPECT_THAT(LiveView::line({}, options, 200), ::testing::Not(HasSubstr("HTTP/2")));
  EXPECT_EQ(http2_code_name(13), "HTTP_1_1_REQUIRED");
  EXPECT_EQ(http2_code_name(14), "an unknown code");
}

// --- The kernel's network

// Servers follow each other on one port; the load goes on, and nothing that a server has taken or refused by its GOAWAY is an
// error. While nobody listens there is nobody to connect to.
TEST(Http2Load, DrainsOfServersAreNoErrors) {
  LoadOptions options = to_server(3, 5);
  options.duration = 1h;
  LoadResult result;
  std::atomic<uint64_t> served{0};
  degu::run([&] {
    std::string address = "127.0.0.1:0";
    const auto [context, cancel] = with_cancel(current_context());
    WaitGroup loading;
    for (int i = 0; i < 10; ++i) {
      net::TcpListener listener = net::TcpListener::listen(address);
      address = listener.address();
      Chan<bool> enough = make_chan<bool>(1);
      std::atomic<int> here{0};
      http::Router router;
      router.get("/ping", [&](http::Exchange& c) {
        served.fetch_add(1);
        if (here.fetch_add(1) == 50) enough.send(true);
        c.text(200, "pong");
      });
      http::Server server(std::move(router));
      WaitGroup serving;
      serving.go([&] { server.serve(listener); });
      if (i == 0) {
        options.target.host_port = address;
        const ContextScope scope(context);
        loading.go([&] { result = run_load(options, one_request(options), {}); });
      }
      enough.recv();
      server.shutdown(10s);
      serving.wait();
    }
    cancel();
    loading.wait();
  });
  EXPECT_GT(result.totals.latency.count(), 500U);
  EXPECT_EQ(errors(result, ErrorKind::kReset), 0U) << first_error(result, ErrorKind::kReset);
  EXPECT_EQ(result.totals.all_errors(), errors(result, ErrorKind::kConnect));
  EXPECT_LE(result.totals.latency.count(), served.load());
  EXPECT_GE(result.totals.latency.count() + 3 * 5, served.load());
}

// TLS: the protocol is agreed on by ALPN.

LoadResult load_tls(const std::vector<std::string>& alpn, uint64_t* served) {
  testing::TestAuthority authority;
  LoadOptions options = to_server(2, 5);
  options.requests = 200;
  options.tls.ca_file = authority.ca_file();
  options.tls.alpn = {"h2"};
  net::TlsServerOptions tls;
  tls.certificates = {authority.issue("site", "site", "DNS:localhost")};
  tls.alpn = alpn;
  http::ServerOptions server_options;
  server_options.tls = std::make_shared<net::TlsServer>(tls);
  LoadResult result;
  degu::run([&] {
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    options.target = parse_target("https://localhost:" + std::to_string(listener.port()) + "/ping");
    options.target.http2 = true;
    http::Server server(ping_router(), server_options);
    WaitGroup serving;
    serving.go([&] { server.serve(listener); });
    result = run_load(options, one_request(options), {});
    server.shutdown(5s);
    serving.wait();
    *served = server.requests();
  });
  return result;
}

TEST(Http2Load, SpeaksTls) {
  uint64_t served = 0;
  const LoadResult result = load_tls({"h2", "http/1.1"}, &served);
  EXPECT_EQ(served, 200U);
  EXPECT_EQ(result.totals.latency.count(), 200U);
  EXPECT_EQ(result.totals.all_errors(), 0U) << first_error(result, ErrorKind::kConnect);
}

TEST(Http2Load, WantsHttp2OfAlpn) {
  for (const std::vector<std::string>& alpn : {std::vector<std::string>{"http/1.1"}, {}}) {
    uint64_t served = 0;
    const LoadResult result = load_tls(alpn, &served);
    EXPECT_EQ(served, 0U);
    EXPECT_EQ(errors(result, ErrorKind::kConnect), 200U);
  }
}

}  // namespace
}  // namespace degu::bench
