// The client's HTTP/2 with our own server, in clear text and by TLS.
#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/client.h>
#include <degu/http/compress.h>
#include <degu/http/server.h>
#include <degu/http/testing/run_until_quiet.h>
#include <degu/net/tcp.h>
#include <degu/net/testing/test_authority.h>
#include <degu/net/tls.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::run_until_quiet;
using degu::testing::TestAuthority;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TestAuthority& authority() {
  static auto* made = new TestAuthority;
  return *made;
}

Router router() {
  Router router;
  router.get("/hello/:name", [](Exchange& c) {
    c.set_header("X-Host", c.host());
    c.add_header("Set-Cookie", "a=1");
    c.add_header("Set-Cookie", "b=2");
    c.text(200, std::string(c.param("name")) + "|" + std::string(c.header("x-asked")) + "|" +
                    std::string(c.scheme()));
  });
  router.get("/tls", [](Exchange& c) { c.text(200, c.tls() ? c.tls()->alpn : "plain"); });
  router.post("/echo", [](Exchange& c) { c.raw(200, "text/plain", std::string(c.body())); },
              {.max_body_bytes = 8 << 20});
  router.post("/refuse", [](Exchange& c) { c.text(200, c.body()); }, {.max_body_bytes = 4});
  router.get("/large", [](Exchange& c) { c.raw(200, "text/plain", std::string(3'000'000, 'x')); });
  router.get("/nothing", [](Exchange&) {});
  router.get("/unchanged", [](Exchange& c) { c.status(304); });
  router.get("/trailers", [](Exchange& c) {
    ResponseStream& stream = c.stream(200, "text/plain");
    stream.write("body");
    stream.add_trailer("X-Sum", "4");
  });
  router.get("/broken", [](Exchange& c) {
    c.stream(200, "text/plain").write("half");
    throw Error(Code::kUnavailable, "lost");
  });
  router.get("/moved", [](Exchange& c) { c.redirect(302, "/hello/moved"); });
  return router;
}

enum class Wire : bool { kPlain, kTls };

class Http2Server {
 public:
  explicit Http2Server(Wire wire, std::vector<std::string> alpn = {"h2", "http/1.1"},
                       Router routes = router())
      : wire_(wire),
        listener_(net::TcpListener::listen("127.0.0.1:0")),
        server_(std::move(routes), options(wire, std::move(alpn))) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~Http2Server() { stop(5s); }
  void stop(std::chrono::nanoseconds drain) {
    server_.shutdown(drain);
    done_.wait();
  }
  std::string url(std::string_view path) const {
    return (wire_ == Wire::kTls ? "https://" : "http://") + listener_.address() + std::string(path);
  }
  Server& server() { return server_; }

 private:
  static ServerOptions options(Wire wire, std::vector<std::string> alpn) {
    ServerOptions made;
    if (wire == Wire::kPlain) return made;
    net::TlsServerOptions tls;
    tls.certificates = {authority().issue("site", "site", "DNS:localhost,IP:127.0.0.1")};
    tls.alpn = std::move(alpn);
    made.tls = std::make_shared<net::TlsServer>(tls);
    return made;
  }

  const Wire wire_;
  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
};

ClientOptions options_for(Wire wire) {
  ClientOptions options;
  options.tls.ca_file = authority().ca_file();
  if (wire == Wire::kPlain) options.version = HttpVersion::kHttp2;
  return options;
}

class ClientHttp2 : public ::testing::TestWithParam<Wire> {};
INSTANTIATE_TEST_SUITE_P(Wires, ClientHttp2, ::testing::Values(Wire::kPlain, Wire::kTls),
                         [](const auto& wire) { return wire.param == Wire::kTls ? "Tls" : "Plain"; });

TEST_P(ClientHttp2, ManyRequestsShareAConnection) {
  all_shapes([] {
    Http2Server server(GetParam());
    Client client(options_for(GetParam()));
    EXPECT_EQ(client.get(server.url("/nothing")).status, 204);  // now it is known
    WaitGroup asking;
    std::atomic<int> right{0};
    for (int i = 0; i < 80; ++i) {
      asking.go([&, i] {
        const Response got = client.get(server.url("/hello/" + std::to_string(i)));
        if (got.status == 200 && got.body.starts_with(std::to_string(i) + "|")) ++right;
      });
    }
    asking.wait();
    EXPECT_EQ(right, 80);
    EXPECT_EQ(server.server().connections(), 1U);
    EXPECT_EQ(server.server().requests(), 81U);
  });
}

TEST_P(ClientHttp2, CarriesFieldsBothWays) {
  run_until_quiet([] {
    Http2Server server(GetParam());
    Client client(options_for(GetParam()));
    const Response got =
        client.request({"GET", server.url("/hello/a%20b?q"), {{"X-Asked", "yes"}, {"TE", "gzip"}}});
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, GetParam() == Wire::kTls ? "a b|yes|https" : "a b|yes|http");
    EXPECT_THAT(server.url("/"), HasSubstr(got.header("X-Host")));
    EXPECT_THAT(got.headers, Contains(Pair("set-cookie", "a=1")));
    EXPECT_THAT(got.headers, Contains(Pair("set-cookie", "b=2")));
    EXPECT_EQ(client.get(server.url("/tls")).body, GetParam() == Wire::kTls ? "h2" : "plain");
    EXPECT_EQ(client.get(server.url("/moved")).body.substr(0, 6), "moved|");
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

TEST_P(ClientHttp2, AnswersWithoutABody) {
  run_until_quiet([] {
    Http2Server server(GetParam());
    Client client(options_for(GetParam()));
    const Response head = client.request({"HEAD", server.url("/large")});
    EXPECT_EQ(head.header("Content-Length"), "3000000");
    EXPECT_EQ(head.body, "");
    EXPECT_EQ(client.get(server.url("/nothing")).status, 204);
    EXPECT_EQ(client.get(server.url("/unchanged")).status, 304);
    EXPECT_EQ(client.get(server.url("/missing")).status, 404);
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

TEST_P(ClientHttp2, MovesBodiesThroughTheWindows) {
  run_until_quiet([] {
    Http2Server server(GetParam());
    Client client(options_for(GetParam()));
    const std::string large(3'000'000, 'b');
    EXPECT_EQ(client.post(server.url("/echo"), "text/plain", large).body, large);
    EXPECT_EQ(client.get(server.url("/large")).body.size(), 3'000'000U);
    const Response streamed = client.request({"POST", server.url("/echo")}, [](RequestBody& body) {
      for (int i = 0; i < 100; ++i) body.write(std::string(30'000, static_cast<char>('a' + i % 26)));
    });
    EXPECT_EQ(streamed.body.size(), 3'000'000U);
    EXPECT_EQ(streamed.body.substr(29'999, 2), "ab");
    EXPECT_EQ(client.request({"POST", server.url("/echo")}, [](RequestBody&) {}).body, "");
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

// Together they are more than a server buffers of a connection's bodies, as one of them is alone.
TEST_P(ClientHttp2, BodiesThatWaitForRoomAllArrive) {
  run_until_quiet([] {
    Http2Server server(GetParam());
    Client client(options_for(GetParam()));
    const std::string large(8 << 20, 'L');
    EXPECT_EQ(client.post(server.url("/echo"), "text/plain", large).body, large);
    const std::string body(700'000, 'b');
    std::atomic<int> right{0};
    WaitGroup asking;
    for (int i = 0; i < 20; ++i)
      asking.go([&] { right += client.post(server.url("/echo"), "text/plain", body).body == body ? 1 : 0; });
    asking.wait();
    EXPECT_EQ(right, 20);
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

TEST_P(ClientHttp2, GivesTrailersAndTellsWhenAnAnswerBreaks) {
  run_until_quiet([] {
    Http2Server server(GetParam());
    Client client(options_for(GetParam()));
    const Response got = client.get(server.url("/trailers"));
    EXPECT_EQ(got.body, "body");
    EXPECT_THAT(got.trailers, ElementsAre(Pair("x-sum", "4")));
    EXPECT_EQ(code_of([&] { client.get(server.url("/broken")); }), Code::kUnavailable);
    EXPECT_EQ(client.get(server.url("/trailers")).status, 200);
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

TEST_P(ClientHttp2, StopsWhatIsRefused) {
  run_until_quiet([] {
    Http2Server server(GetParam());
    Client client(options_for(GetParam()));
    EXPECT_EQ(client.post(server.url("/refuse"), "text/plain", std::string(4'000'000, 'x')).status, 413);
    bool unwound = false;
    const Response got = client.request({"POST", server.url("/refuse")}, [&](RequestBody& body) {
      try {
        for (;;) body.write(std::string(10'000, 'x'));
      } catch (const Error&) {
        unwound = true;
        throw;
      }
    });
    EXPECT_EQ(got.status, 413);
    EXPECT_TRUE(unwound);
    const Request expecting{"POST", server.url("/refuse"), {}, std::string(100'000, 'x'), true};
    EXPECT_EQ(client.request(expecting).status, 413);
    const Request welcome{"POST", server.url("/echo"), {}, "welcome", true};
    EXPECT_EQ(client.request(welcome).body, "welcome");
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

TEST_P(ClientHttp2, ABodyThatIsNotReadHoldsUpItsServerAlone) {
  run_until_quiet([] {
    std::atomic<std::size_t> written{0};
    Router routes = router();
    routes.get("/endless", [&](Exchange& c) {
      ResponseStream& stream = c.stream(200, "text/plain");
      for (;;) {
        stream.write(std::string(10'000, 'x'));
        written += 10'000;
      }
    });
    Http2Server server(GetParam(), {"h2", "http/1.1"}, std::move(routes));
    Client client(options_for(GetParam()));
    std::vector<OpenResponse> unread;
    for (int i = 0; i < 30; ++i) unread.push_back(client.open({"GET", server.url("/endless")}));
    EXPECT_EQ(client.get(server.url("/large")).body.size(), 3'000'000U);
    std::size_t read = 0;
    while (read < 1'000'000) read += unread[0].body.next().size();
    EXPECT_LE(written, 30U * (256 + 64 + 64 + 10) * 1024 + read);
    unread.clear();
    EXPECT_EQ(client.get(server.url("/nothing")).status, 204);
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

TEST_P(ClientHttp2, TheEndOfAContextEndsItsStreamAlone) {
  run_until_quiet([] {
    auto begun = make_chan<bool>(2);
    auto ended = make_chan<bool>(2);
    Router routes = router();
    routes.get("/wait", [&](Exchange&) {
      begun.send(true);
      try {
        sleep(60s);
      } catch (const Error&) {
        ended.send(true);
        throw;
      }
    });
    Http2Server server(GetParam(), {"h2", "http/1.1"}, std::move(routes));
    Client client(options_for(GetParam()));
    OpenResponse beside = client.open({"GET", server.url("/large")});
    Code code = Code::kOk;
    WaitGroup asking;
    auto [context, cancel] = with_cancel(current_context());
    asking.go([&, context = context] {
      const ContextScope scope(context);
      code = code_of([&] { client.get(server.url("/wait")); });
    });
    begun.recv();
    cancel();
    asking.wait();
    EXPECT_EQ(code, Code::kCancelled);
    ended.recv();  // the server was told
    EXPECT_EQ(beside.body.read_all(4'000'000).size(), 3'000'000U);
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

TEST_P(ClientHttp2, ADrainingServerIsLeft) {
  run_until_quiet([] {
    auto server = std::make_unique<Http2Server>(GetParam());
    Client client(options_for(GetParam()));
    OpenResponse open = client.open({"GET", server->url("/large")});
    WaitGroup stopping;
    stopping.go([&] { server->stop(20s); });
    EXPECT_EQ(open.body.read_all(4'000'000).size(), 3'000'000U);
    stopping.wait();  // for us, and we have gone
    EXPECT_EQ(server->server().connections(), 0U);
  });
}

TEST_P(ClientHttp2, OpensMoreConnectionsWhenOneIsFull) {
  run_until_quiet([] {
    auto go_on = make_chan<bool>();
    std::atomic<int> waiting{0};
    Router routes = router();
    routes.get("/wait", [&](Exchange&) {
      ++waiting;
      go_on.recv();
    });
    Http2Server server(GetParam(), {"h2", "http/1.1"}, std::move(routes));
    ClientOptions options = options_for(GetParam());
    options.max_connections_per_host = 2;
    Client client(options);
    EXPECT_EQ(client.get(server.url("/nothing")).status, 204);
    WaitGroup asking;
    std::atomic<int> right{0};
    for (int i = 0; i < 250; ++i) {
      asking.go([&] {
        if (client.get(server.url("/wait")).status == 204) ++right;
      });
    }
    while (waiting < 200) sleep(1ms);
    EXPECT_EQ(server.server().connections(), 2U);
    EXPECT_EQ(right, 0);
    go_on.close();
    asking.wait();
    EXPECT_EQ(right, 250);
    EXPECT_EQ(server.server().connections(), 2U);
  });
}

TEST_P(ClientHttp2, OutlivesItsClient) {
  run_until_quiet([] {
    Http2Server server(GetParam());
    std::optional<Client> client(options_for(GetParam()));
    OpenResponse open = client->open({"GET", server.url("/large")});
    client.reset();
    EXPECT_EQ(open.body.read_all(4'000'000).size(), 3'000'000U);
    while (server.server().connections() != 0) sleep(1ms);
  });
}

TEST_P(ClientHttp2, AnIdleConnectionHasNoGoroutine) {
  run_until_quiet([] {
    Http2Server server(GetParam());
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<Client>(options_for(GetParam())));
    for (int round = 0; round < 3; ++round) {
      for (auto& client : clients) EXPECT_EQ(client->get(server.url("/nothing")).status, 204);
      while (num_goroutines() >= clients.size()) sleep(1ms);
    }
    EXPECT_EQ(server.server().connections(), 20U);
  });
}

TEST_P(ClientHttp2, ClosesWhatLayTooLong) {
  run_until_quiet([] {
    Http2Server server(GetParam());
    ClientOptions options = options_for(GetParam());
    options.idle_timeout = 0ns;
    Client expiring(options);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(expiring.get(server.url("/nothing")).status, 204);
    while (server.server().connections() > 0) sleep(1ms);
    options.idle_timeout = 60s;
    options.max_idle = 0;
    Client keeps_none(options);
    EXPECT_EQ(keeps_none.get(server.url("/nothing")).status, 204);
    while (server.server().connections() > 0) sleep(1ms);
  });
}

TEST_P(ClientHttp2, LimitsWhatItTakes) {
  run_until_quiet([] {
    Http2Server server(GetParam());
    ClientOptions options = options_for(GetParam());
    options.max_body_bytes = 1000;
    Client client(options);
    EXPECT_EQ(code_of([&] { client.get(server.url("/large")); }), Code::kResourceExhausted);
    EXPECT_EQ(client.get(server.url("/trailers")).body, "body");
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

TEST(ClientHttpVersion, IsWhatBothWant) {
  run_until_quiet([] {
    const auto spoken = [](HttpVersion version, std::vector<std::string> alpn) -> std::string {
      Http2Server server(Wire::kTls, std::move(alpn));
      ClientOptions options = options_for(Wire::kTls);
      options.version = version;
      Client client(options);
      std::string got;
      for (int i = 0; i < 3; ++i) got = client.get(server.url("/tls")).body;
      EXPECT_EQ(server.server().connections(), 1U);
      return got;
    };
    EXPECT_EQ(spoken(HttpVersion::kAny, {"h2", "http/1.1"}), "h2");
    EXPECT_EQ(spoken(HttpVersion::kAny, {"http/1.1"}), "http/1.1");
    EXPECT_EQ(spoken(HttpVersion::kAny, {}), "");
    EXPECT_EQ(spoken(HttpVersion::kHttp1, {"h2", "http/1.1"}), "http/1.1");
    EXPECT_EQ(spoken(HttpVersion::kHttp2, {"http/1.1", "h2"}), "h2");
    EXPECT_EQ(code_of([&] { spoken(HttpVersion::kHttp2, {"http/1.1"}); }), Code::kUnavailable);
    EXPECT_EQ(code_of([&] { spoken(HttpVersion::kHttp2, {}); }), Code::kUnavailable);
  });
}

TEST(ClientHttpVersion, PlainIsHttp1UnlessKnown) {
  run_until_quiet([] {
    Http2Server server(Wire::kPlain);
    Client client;
    const Response got = client.get(server.url("/hello/a"));
    EXPECT_THAT(got.headers, Contains(Pair("X-Host", ::testing::_)));  // HTTP/2 would have made it lower case
  });
}

TEST(ClientHttpVersion, SurvivesAServerThatChangesItsMind) {
  run_until_quiet([] {
    for (const bool first : {true, false}) {
      net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
      const std::string url = "https://" + listener.address() + "/tls";
      ClientOptions options = options_for(Wire::kTls);
      Client client(options);
      for (const bool http2 : {first, !first, first}) {
        net::TlsServerOptions tls;
        tls.certificates = {authority().issue("site", "site", "DNS:localhost,IP:127.0.0.1")};
        tls.alpn = {http2 ? "h2" : "http/1.1"};
        ServerOptions made;
        made.tls = std::make_shared<net::TlsServer>(tls);
        Server server(router(), made);
        WaitGroup done;
        done.go([&] { server.serve(listener); });
        EXPECT_EQ(client.get(url).body, tls.alpn[0]);
        EXPECT_EQ(client.get(url).body, tls.alpn[0]);
        server.shutdown(5s);
        done.wait();
        listener.close();
        listener = net::TcpListener::listen(url.substr(8, url.size() - 12));
      }
    }
  });
}

}  // namespace
}  // namespace degu::http
