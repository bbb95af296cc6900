#include <arpa/inet.h>
#include <degu/base/testing/code_of.h>
#include <degu/http/client.h>
#include <degu/http/internal/address_counts.h>
#include <degu/http/internal/refusals.h>
#include <degu/http/server.h>
#include <degu/http/testing/frame_client.h>
#include <degu/http/testing/raw_server.h>
#include <degu/net/testing/test_authority.h>
#include <degu/net/tls.h>
#include <degu/obs/log.h>
#include <degu/obs/metric.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <map>
#include <string>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::FrameClient;
using degu::testing::receive;
using degu::testing::send;
using degu::testing::wait_for_close;
using internal::AddressCounts;
using internal::IpAddress;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr std::string_view kPing = "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n";

struct Told {
  RefusalCause cause;
  int status;
  std::string method, path, reason, peer;
};

// What a server has refused, in order. next() waits for it.
class Recorder final : public RefusalObserver {
 public:
  void refused(const Refusal& r) noexcept override {
    EXPECT_TRUE(told_.try_send({r.cause, r.status, std::string(r.method), std::string(r.path),
                                std::string(r.reason), std::string(r.peer)}));
  }
  Told next() { return *told_.recv(); }
  bool none() { return told_.len() == 0; }

 private:
  Chan<Told> told_ = make_chan<Told>(10'000);
};

class TestServer {
 public:
  explicit TestServer(ServerOptions options = {})
      : listener_(net::TcpListener::listen("0.0.0.0:0")),
        recorder_(std::make_shared<Recorder>()),
        server_(router(), with(std::move(options), recorder_)) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~TestServer() {
    server_.shutdown(5s);
    done_.wait();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(listener_.port()); }
  uint16_t port() const { return listener_.port(); }
  Server& server() { return server_; }
  Recorder& recorder() { return *recorder_; }

 private:
  static Router router() {
    Router router;
    router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
    router.post("/small", [](Exchange& c) { c.text(200, c.body()); }, {.max_body_bytes = 4});
    return router;
  }
  static ServerOptions with(ServerOptions options, std::shared_ptr<RefusalObserver> observer) {
    options.on_refusal = std::move(observer);
    return options;
  }

  net::TcpListener listener_;
  std::shared_ptr<Recorder> recorder_;
  Server server_;
  WaitGroup done_;
};

// A connection from an address of this host; on the loopback device it is there at once.
net::TcpStream connect_from(const char* source, uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, source, &address.sin_addr);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return net::TcpStream(fd);
}

std::string ask(net::TcpStream& stream) {
  send(stream, kPing);
  return receive(stream, "pong");
}

// --- Connections of one client

TEST(AddressCounts, CountsWithinTheLimitAndForgets) {
  AddressCounts counts;
  const auto client = [](std::string_view text) { return AddressCounts::client_of(*IpAddress::parse(text)); };
  EXPECT_TRUE(counts.add(client("192.0.2.1"), 2));
  EXPECT_TRUE(counts.add(client("::ffff:192.0.2.1"), 2));  // the same host
  EXPECT_FALSE(counts.add(client("192.0.2.1"), 2));
  EXPECT_TRUE(counts.add(client("192.0.2.2"), 2));
  EXPECT_TRUE(counts.add(client("2001:db8::1"), 2));
  EXPECT_TRUE(counts.add(client("2001:db8:0:0:ffff::1"), 2));  // of the same /64
  EXPECT_FALSE(counts.add(client("2001:db8::2"), 2));
  EXPECT_TRUE(counts.add(client("2001:db8:0:1::1"), 2));
  EXPECT_EQ(counts.clients(), 4U);
  counts.remove(client("192.0.2.1"));
  EXPECT_TRUE(counts.add(client("192.0.2.1"), 2));
  for (int i = 0; i < 2; ++i) counts.remove(client("192.0.2.1"));
  counts.remove(client("192.0.2.2"));
  for (int i = 0; i < 2; ++i) counts.remove(client("2001:db8::9"));
  counts.remove(client("2001:db8:0:1::1"));
  EXPECT_EQ(counts.clients(), 0U);
  EXPECT_FALSE(counts.add(client("192.0.2.1"), 0));
  EXPECT_EQ(counts.clients(), 0U);
}

TEST(IpAddress, OfAPeer) {
  EXPECT_EQ(IpAddress::of_peer("192.0.2.1:80"), IpAddress::parse("192.0.2.1"));
  EXPECT_EQ(IpAddress::of_peer("[fe80::1%2]:80"), IpAddress::parse("fe80::1"));
  EXPECT_EQ(IpAddress::of_peer("[::ffff:192.0.2.1]:80"), IpAddress::parse("192.0.2.1"));
  for (const char* other : {"", "/run/socket", "pipe", "%", "[fe80::1%2"})
    EXPECT_EQ(IpAddress::of_peer(other), std::nullopt) << other;
  for (const char* loopback : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE(IpAddress::parse(loopback)->is_loopback()) << loopback;
  for (const char* other : {"126.0.0.1", "::", "::2", "1::1", "0.0.0.1"})
    EXPECT_FALSE(IpAddress::parse(other)->is_loopback()) << other;
}

TEST(ConnectionsOfAnAddress, AnAttackerDoesNotKeepOutItsNeighbour) {
  run([] {
    ServerOptions options;
    options.max_connections = 12;
    options.max_connections_per_address = 8;
    TestServer server(options);
    std::vector<net::TcpStream> attack;
    for (int i = 0; i < 8; ++i) {
      attack.push_back(connect_from("127.0.0.1", server.port()));
      if (i % 2 == 1) continue;  // half of them say nothing
      EXPECT_THAT(ask(attack.back()), HasSubstr("pong"));
    }
    for (int i = 0; i < 20; ++i) {
      net::TcpStream more = connect_from("127.0.0.1", server.port());
      EXPECT_THAT(receive(more), StartsWith("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"));
      wait_for_close(more);
      const Told told = server.recorder().next();
      EXPECT_EQ(told.cause, RefusalCause::kAddress);
      EXPECT_EQ(told.status, 503);
      EXPECT_THAT(told.peer, StartsWith("127.0.0.1:"));
      EXPECT_EQ(told.method + told.path, "");
    }
    net::TcpStream neighbour = connect_from("127.0.0.2", server.port());
    EXPECT_THAT(ask(neighbour), HasSubstr("pong"));
    EXPECT_THAT(ask(attack.front()), HasSubstr("pong"));
    EXPECT_EQ(server.server().refusals(RefusalCause::kAddress), 20U);
    EXPECT_EQ(server.server().refusals(RefusalCause::kConnections), 0U);
    EXPECT_EQ(server.server().connections(), 9U);
  });
}

TEST(ConnectionsOfAnAddress, APlaceIsFreeAgainWhenItsConnectionHasEnded) {
  run([] {
    ServerOptions options;
    options.max_connections_per_address = 1;
    TestServer server(options);
    for (int i = 0; i < 5; ++i) {
      net::TcpStream only = connect_from("127.0.0.1", server.port());
      send(only, "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      EXPECT_THAT(receive(only, "pong"), HasSubstr("pong"));
      // The place is given back before the connection is closed, or shortly after: what ends it is the server's close.
      wait_for_close(only);
      while (server.server().connections() != 0) yield();
    }
    EXPECT_EQ(server.server().refusals(RefusalCause::kAddress), 0U);
  });
}

TEST(ConnectionsOfAnAddress, UnlessToldOtherwiseLoopbackIsNotCounted) {
  run([] {
    ServerOptions options;
    options.max_connections = 4;
    TestServer server(options);
    std::vector<net::TcpStream> all;
    for (int i = 0; i < 4; ++i) {
      all.push_back(connect_from("127.0.0.1", server.port()));
      EXPECT_THAT(ask(all.back()), HasSubstr("pong"));
    }
    net::TcpStream more = connect_from("127.0.0.1", server.port());
    EXPECT_THAT(receive(more), StartsWith("HTTP/1.1 503"));
    EXPECT_EQ(server.recorder().next().cause, RefusalCause::kConnections);
  });
}

TEST(ConnectionsOfAnAddress, ZeroSwitchesItOff) {
  run([] {
    ServerOptions options;
    options.max_connections_per_address = 0;
    TestServer server(options);
    std::vector<net::TcpStream> all;
    for (int i = 0; i < 10; ++i) {
      all.push_back(connect_from("127.0.0.3", server.port()));
      EXPECT_THAT(ask(all.back()), HasSubstr("pong"));
    }
  });
}

std::string proxy_header(char last_byte) {
  std::string header("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xCB\x00\x71\x07\x0A\x00\x00\x01\x30\x39\x01\xBB",
                     28);
  header[19] = last_byte;
  return header;
}

TEST(ConnectionsOfAnAddress, BehindAProxyItIsTheOneThatItTells) {
  run([] {
    ServerOptions options;
    options.behind_proxy = true;
    options.max_connections = 4;  // two of one client
    TestServer server(options);
    const auto connect = [&](char client) {
      net::TcpStream stream = net::TcpStream::connect(server.address());
      send(stream, proxy_header(client));
      return stream;
    };
    std::vector<net::TcpStream> two;
    for (int i = 0; i < 2; ++i) {
      two.push_back(connect('\x07'));
      EXPECT_THAT(ask(two.back()), HasSubstr("pong"));
    }
    net::TcpStream third = connect('\x07');
    EXPECT_THAT(receive(third), StartsWith("HTTP/1.1 503"));
    const Told told = server.recorder().next();
    EXPECT_EQ(told.cause, RefusalCause::kAddress);
    EXPECT_EQ(told.peer, "203.0.113.7:12345");
    wait_for_close(third);
    net::TcpStream neighbour = connect('\x08');
    EXPECT_THAT(ask(neighbour), HasSubstr("pong"));
    net::TcpStream liar = net::TcpStream::connect(server.address());
    send(liar, kPing);
    wait_for_close(liar);
    EXPECT_EQ(server.recorder().next().cause, RefusalCause::kProxyHeader);
    EXPECT_EQ(server.server().refusals(RefusalCause::kProxyHeader), 1U);
  });
}

TEST(ConnectionsOfAnAddress, AProxyThatStallsInItsHeaderIsCut) {
  run([] {
    ServerOptions options;
    options.behind_proxy = true;
    options.header_timeout = 50ms;
    TestServer server(options);
    net::TcpStream slow = net::TcpStream::connect(server.address());
    send(slow, proxy_header('\x07').substr(0, 20));
    wait_for_close(slow);
    EXPECT_EQ(server.recorder().next().cause, RefusalCause::kProxyHeader);
  });
}

// --- What is told of refusals

TEST(Refusals, TellOfRequestsWhatIsKnown) {
  struct Case {
    std::string bytes;
    RefusalCause cause;
    int status;
    std::string method, path;
  };
  const std::string long_path = "/" + std::string(300, 'p');
  const std::vector<Case> cases{
      {"GET /a?token=secret HTTP/1.1\r\n\r\n", RefusalCause::kMalformed, 400, "GET", "/a"},  // no Host
      {"\r\nPUT /b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", RefusalCause::kMalformed, 400, "PUT", "/b"},
      {"GET /c HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n", RefusalCause::kMalformed, 417, "GET", "/c"},
      {"GET " + long_path + " HTTP/9.9\r\nHost: a\r\n\r\n", RefusalCause::kUnsupported, 505, "GET",
       long_path.substr(0, 256)},
      {"GET /" + std::string(9000, 'u'), RefusalCause::kUriTooLong, 414, "GET", "/" + std::string(255, 'u')},
      {"GET /d HTTP/1.1\r\nHost: a\r\nX: " + std::string(40'000, 'x'), RefusalCause::kHeadTooLarge, 431,
       "GET", "/d"},
      {"\x16\x03\x01 what is this\r\n\r\n", RefusalCause::kMalformed, 400, "", ""},
      {"POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345", RefusalCause::kBodyTooLarge, 413,
       "POST", "/small"},
      {"POST /small?x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n",
       RefusalCause::kBodyTooLarge, 413, "POST", "/small"},
      {"POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
       RefusalCause::kMalformed, 400, "POST", "/small"},
      {"POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", RefusalCause::kUnsupported,
       501, "POST", "/e"},
  };
  run([&] {
    TestServer server;
    std::map<RefusalCause, uint64_t> expected;
    for (const Case& one : cases) {
      net::TcpStream stream = net::TcpStream::connect(server.address());
      send(stream, std::string(kPing) + one.bytes);  // not the first request of its connection
      EXPECT_THAT(receive(stream, "\r\n\r\n{"), HasSubstr("HTTP/1.1 " + std::to_string(one.status)));
      const Told told = server.recorder().next();
      EXPECT_EQ(to_string(told.cause), to_string(one.cause)) << one.bytes.substr(0, 60);
      EXPECT_EQ(told.status, one.status) << one.bytes.substr(0, 60);
      EXPECT_EQ(told.method, one.method) << one.bytes.substr(0, 60);
      EXPECT_EQ(told.path, one.path) << one.bytes.substr(0, 60);
      EXPECT_NE(told.reason, "");
      EXPECT_EQ(told.peer, stream.local());
      EXPECT_EQ(server.server().refusals(one.cause), ++expected[one.cause]);
    }
  });
}

TEST(Refusals, TellOfClientsThatAreTooSlow) {
  run([] {
    ServerOptions options;
    options.header_timeout = 30ms;
    options.io_timeout = 30ms;
    TestServer server(options);
    net::TcpStream head = net::TcpStream::connect(server.address());
    send(head, "GET /half HTT");
    EXPECT_THAT(receive(head, "{"), StartsWith("HTTP/1.1 408"));
    Told told = server.recorder().next();
    EXPECT_EQ(told.cause, RefusalCause::kTimeout);
    EXPECT_EQ(told.method + told.path, "GET/half");
    net::TcpStream body = net::TcpStream::connect(server.address());
    send(body, "POST /small?q HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n12");
    EXPECT_THAT(receive(body, "{"), StartsWith("HTTP/1.1 408"));
    told = server.recorder().next();
    EXPECT_EQ(told.cause, RefusalCause::kTimeout);
    EXPECT_EQ(told.method + told.path, "POST/small");
  });
}

TEST(Refusals, AreNotWhatRoutesAndHandlersAnswer) {
  run([] {
    TestServer server;
    net::TcpStream stream = net::TcpStream::connect(server.address());
    send(stream, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\nPUT /ping HTTP/1.1\r\nHost: a\r\n\r\n");
    send(stream,
         "BREW /ping HTTP/1.1\r\nHost: a\r\n\r\nGET /%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    wait_for_close(stream);
    net::TcpStream leaves = net::TcpStream::connect(server.address());
    send(leaves, "GET /ha");
    leaves.shutdown_write();
    wait_for_close(leaves);
    EXPECT_TRUE(server.recorder().none());
  });
}

TEST(Refusals, OfHttp2) {
  run([] {
    TestServer server;
    const auto get = [](const testing::Fields& more, std::string_view path = "/ping?x=1") {
      return FrameClient::request("GET", path, more);
    };
    FrameClient client(server.address());
    EXPECT_EQ(client.call(get({}, "/" + std::string(9000, 'u'))).status, 414);
    Told told = server.recorder().next();
    EXPECT_EQ(told.cause, RefusalCause::kUriTooLong);
    EXPECT_EQ(told.method + told.path, "GET");  // of a path that is too long nothing was kept
    EXPECT_EQ(client.call(FrameClient::request("POST", "/small?x=1"), "12345").status, 413);
    told = server.recorder().next();
    EXPECT_EQ(told.cause, RefusalCause::kBodyTooLarge);
    EXPECT_EQ(told.method + told.path, "POST/small");
    EXPECT_EQ(told.status, 413);
    // A stream that breaks the rules, which nghttp2 finds.
    EXPECT_TRUE(client.call(get({{"connection", "close"}})).reset.has_value());
    told = server.recorder().next();
    EXPECT_EQ(told.cause, RefusalCause::kHttp2Error);
    EXPECT_EQ(told.status, 0);
    EXPECT_EQ(told.reason, "PROTOCOL_ERROR");
    EXPECT_EQ(told.method + told.path, "GET/ping");
    EXPECT_EQ(told.peer, client.stream().local());
    EXPECT_EQ(client.call(get({})).body, "pong");
    EXPECT_TRUE(server.recorder().none());
  });
}

TEST(Refusals, OfHttp2Connections) {
  run([] {
    TestServer server;
    {
      FrameClient client(server.address());
      client.send(FrameClient::kData, 0, 0, "x");
      EXPECT_TRUE(client.wait_for_end());
      const Told told = server.recorder().next();
      EXPECT_EQ(told.cause, RefusalCause::kHttp2Error);
      EXPECT_EQ(told.method + told.path, "");
    }
    {
      net::TcpStream wrong = net::TcpStream::connect(server.address());
      send(wrong, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
      wait_for_close(wrong);
      EXPECT_EQ(server.recorder().next().cause, RefusalCause::kHttp2Error);
    }
    {
      FrameClient client(server.address());
      std::string flood;
      for (int i = 0; i < 20'000; ++i) flood += FrameClient::frame(FrameClient::kPing, 0, 0, "12345678");
      client.send_raw(flood);
      EXPECT_TRUE(client.wait_for_end());
      EXPECT_EQ(server.recorder().next().cause, RefusalCause::kHttp2Flood);
    }
    {
      FrameClient client(server.address());
      std::string flood;
      for (uint32_t id = 1; id < 4000; id += 2) {
        flood += FrameClient::frame(FrameClient::kHeaders, 5, id,
                                    FrameClient::block(FrameClient::request("GET", "/ping")));
        flood += FrameClient::frame(FrameClient::kReset, 0, id, FrameClient::number(8, 4));
      }
      client.send_raw(flood);
      EXPECT_TRUE(client.wait_for_end());
      EXPECT_EQ(server.recorder().next().cause, RefusalCause::kHttp2Flood);
    }
    FrameClient client(server.address());
    client.get("/ping");
    client.wait(1);
    EXPECT_TRUE(server.recorder().none());  // each once
    EXPECT_EQ(server.server().refusals(RefusalCause::kHttp2Flood), 2U);
    EXPECT_EQ(server.server().refusals(RefusalCause::kHttp2Error), 2U);
  });
}

TEST(Refusals, OfTls) {
  degu::testing::TestAuthority authority;
  net::TlsServerOptions tls;
  tls.certificates = {authority.issue("site", "site", "IP:127.0.0.1")};
  run([&] {
    ServerOptions options;
    options.tls = std::make_shared<net::TlsServer>(tls);
    options.max_connections = 2;
    TestServer server(options);
    net::TcpStream plain = net::TcpStream::connect(server.address());
    send(plain, kPing);
    wait_for_close(plain);
    Told told = server.recorder().next();
    EXPECT_EQ(told.cause, RefusalCause::kTls);
    EXPECT_EQ(told.status, 0);
    EXPECT_THAT(told.reason, StartsWith("TLS: "));
    EXPECT_EQ(told.peer, plain.local());
    while (server.server().connections() != 0) yield();
    // Over the cap there is no handshake, and so no answer.
    std::vector<net::TcpStream> quiet;
    for (int i = 0; i < 2; ++i) quiet.push_back(net::TcpStream::connect(server.address()));
    net::TcpStream third = net::TcpStream::connect(server.address());
    EXPECT_EQ(receive(third), "");
    told = server.recorder().next();
    EXPECT_EQ(told.cause, RefusalCause::kConnections);
    EXPECT_EQ(told.status, 0);
    server.server().shutdown(0ns);  // that ends quiet ones, which is no refusal
    EXPECT_TRUE(server.recorder().none());
  });
}

TEST(Refusals, AreCountedForTheWholeProcess) {
  struct Sum final : MetricVisitor {
    void visit(const Counter& counter) override {
      if (counter.name() == "degu_http_refusals_total") values[counter.labels()] = counter.value();
    }
    void visit(const Histogram&) override {}
    std::map<std::string, uint64_t> values;
  };
  const auto all = [] {
    Sum sum;
    visit_metrics(sum);
    return sum.values;
  };
  const auto before = all();
  EXPECT_EQ(before.size(), kRefusalCauses);
  internal::Refusals refusals(nullptr);
  for (std::size_t i = 0; i < kRefusalCauses; ++i) refusals.note({.cause = static_cast<RefusalCause>(i)});
  const auto after = all();
  for (std::size_t i = 0; i < kRefusalCauses; ++i) {
    const std::string label = "cause=\"" + std::string(to_string(static_cast<RefusalCause>(i))) + "\"";
    EXPECT_EQ(after.at(label), before.at(label) + 1) << label;
    EXPECT_EQ(refusals.count(static_cast<RefusalCause>(i)), 1U);
  }
}

// --- The log

class Records : public LogSink {
 public:
  Records() { set_log_sink(this); }
  ~Records() override { set_log_sink(nullptr); }
  void write(Level, std::string_view message, std::span<const LogField> fields) noexcept override {
    std::string text(message);
    for (const LogField& field : fields) {
      text.append(" ").append(field.key).append("=");
      if (const auto* words = std::get_if<std::string_view>(&field.value)) text += *words;
      if (const auto* number = std::get_if<int64_t>(&field.value)) text += std::to_string(*number);
      if (const auto* number = std::get_if<uint64_t>(&field.value)) text += std::to_string(*number);
    }
    lines.push_back(std::move(text));
  }
  std::vector<std::string> lines;
};

TEST(RefusalLog, WritesRecordsAsTheAccessLogDoes) {
  const Records records;
  internal::Refusals refusals(refusal_log());
  refusals.note({.cause = RefusalCause::kBodyTooLarge,
                 .status = 413,
                 .method = "POST",
                 .path = "/a?secret",
                 .reason = "too much",
                 .peer = "192.0.2.1:4"});
  refusals.note({.cause = RefusalCause::kTls, .reason = "no", .peer = "192.0.2.1:5"});
  EXPECT_THAT(records.lines,
              ElementsAre("request method=POST path=/a status=413 peer=192.0.2.1:4 refused=body_too_large "
                          "reason=too much suppressed=0",
                          "connection method= path= status=0 peer=192.0.2.1:5 refused=tls reason=no "
                          "suppressed=0"));
}

TEST(RefusalLog, AFloodDoesNotFillTheDisk) {
  const Records records;
  {
    internal::Refusals refusals(refusal_log({.per_second = 1e-6, .burst = 5}));
    for (int i = 0; i < 100'000; ++i) refusals.note({.cause = RefusalCause::kTls});
    EXPECT_EQ(records.lines.size(), 5U);
    EXPECT_EQ(refusals.count(RefusalCause::kTls), 100'000U);
  }
  // The first record after a pause tells how many are missing.
  const auto log = refusal_log({.per_second = 100, .burst = 1});
  std::size_t refused = 0;
  while (records.lines.size() < 8) {
    log->refused({});
    ++refused;
  }
  std::size_t suppressed = 0;
  for (std::size_t i = 5; i < 8; ++i)
    suppressed += std::stoul(records.lines[i].substr(records.lines[i].rfind('=') + 1));
  EXPECT_EQ(suppressed + 3, refused);
}

TEST(RefusalLog, RefusesRatesThatCannotBeMeant) {
  for (const RefusalLogOptions& options :
       {RefusalLogOptions{.per_second = 0}, RefusalLogOptions{.per_second = -1},
        RefusalLogOptions{.burst = 0}})
    EXPECT_EQ(degu::testing::code_of([&] { refusal_log(options); }), Code::kInvalidArgument);
}

TEST(FirstLine, IsWhatCanBeToldOfAHead) {
  using internal::first_line;
  EXPECT_EQ(first_line("GET /a HTTP/1.1\r\nHost").target, "/a");
  EXPECT_EQ(first_line("\r\nGET /a").method, "GET");
  EXPECT_EQ(first_line(std::string(100, 'M') + " /").method, std::string(32, 'M'));
  for (const char* other : {"", "GET", "\r\n", " /a", "G(T /a", "\x16\x03 x"})
    EXPECT_THAT(first_line(other).method, IsEmpty()) << other;
}

}  // namespace
}  // namespace degu::http
