#include <degu/context/cancel_scope.h>
#include <degu/http/server.h>
#include <degu/http/testing/frame_client.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::Answer;
using degu::testing::Fields;
using degu::testing::Frame;
using degu::testing::FrameClient;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr uint32_t kNoError = 0;
constexpr uint32_t kProtocolError = 1;
constexpr uint32_t kCancel = 8;
constexpr uint32_t kEnhanceYourCalm = 11;

class Http2Server {
 public:
  explicit Http2Server(Router router, ServerOptions options = {})
      : listener_(net::TcpListener::listen("127.0.0.1:0")), server_(std::move(router), std::move(options)) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~Http2Server() { stop(5s); }
  void stop(std::chrono::nanoseconds drain) {
    server_.shutdown(drain);
    done_.wait();
  }
  std::string address() const { return listener_.address(); }
  Server& server() { return server_; }

 private:
  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
};

Router basic_router() {
  Router router;
  router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
  router.get("/hello/:name", [](Exchange& c) {
    c.set_header("X-Host", c.host());
    c.add_header("Set-Cookie", "a=1");
    c.add_header("Set-Cookie", "b=2");
    c.text(200, std::string(c.param("name")) + "|" + std::string(c.query("q")) + "|" +
                    std::string(c.header("cookie")));
  });
  router.post("/echo", [](Exchange& c) { c.raw(200, "text/plain", std::string(c.body())); });
  router.post("/small", [](Exchange& c) { c.text(200, c.body()); }, {.max_body_bytes = 4});
  router.get("/large", [](Exchange& c) { c.raw(200, "text/plain", std::string(3'000'000, 'x')); });
  router.get("/nothing", [](Exchange&) {});
  router.get("/stream", [](Exchange& c) {
    ResponseStream& stream = c.stream(200, "text/plain");
    for (int i = 0; i < 100; ++i) stream.write(std::string(10'000, static_cast<char>('a' + i % 26)));
  });
  router.get("/sized", [](Exchange& c) {
    ResponseStream& stream = c.stream(200, "text/plain", 7);
    stream.write("one,");
    stream.write("two");
  });
  router.get("/broken", [](Exchange& c) {
    c.stream(200, "text/plain").write("half");
    throw Error(Code::kUnavailable, "lost");
  });
  return router;
}

Fields get(std::string_view path, const Fields& more = {}) { return FrameClient::request("GET", path, more); }
Fields post(std::string_view path, const Fields& more = {}) {
  return FrameClient::request("POST", path, more);
}

TEST(ServerHttp2, AnswersInEveryShape) {
  all_shapes([] {
    Http2Server server(basic_router());
    FrameClient client(server.address());
    std::vector<uint32_t> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(client.ask(get("/hello/" + std::to_string(i))));
    for (int i = 0; i < 50; ++i) {
      const Answer& answer = client.wait(ids[static_cast<std::size_t>(i)]);
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(answer.body, std::to_string(i) + "||");
    }
    EXPECT_EQ(server.server().requests(), 50U);
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

TEST(ServerHttp2, CarriesFieldsBothWays) {
  run([] {
    Http2Server server(basic_router());
    FrameClient client(server.address());
    const Answer answer = client.call(get("/hello/%C3%A4?q=a+b", {{"cookie", "x=1"}, {"cookie", "y=2"}}));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "\u00e4|a b|x=1; y=2");
    EXPECT_EQ(answer.field("x-host"), "a.test");
    EXPECT_EQ(answer.field("content-length"), std::to_string(answer.body.size()));
    EXPECT_THAT(answer.field("date"), HasSubstr("GMT"));
    EXPECT_EQ(std::count_if(answer.fields.begin(), answer.fields.end(),
                            [](const auto& field) { return field.first == "set-cookie"; }),
              2);
  });
}

TEST(ServerHttp2, FollowsTheMethod) {
  run([] {
    Http2Server server(basic_router());
    FrameClient client(server.address());
    Answer answer = client.call(FrameClient::request("HEAD", "/large"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.field("content-length"), "3000000");
    EXPECT_EQ(answer.body, "");
    EXPECT_TRUE(answer.ended);
    answer = client.call(get("/nothing"));
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.field("content-length"), "");
    EXPECT_EQ(client.call(get("/missing")).status, 404);
    answer = client.call(FrameClient::request("DELETE", "/ping"));
    EXPECT_EQ(answer.status, 405);
    EXPECT_EQ(answer.field("allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(client.call(FrameClient::request("OPTIONS", "*")).status, 204);
    EXPECT_EQ(client.call(Fields{{":method", "CONNECT"}, {":authority", "a.test:1"}}).status, 501);
  });
}

TEST(ServerHttp2, MovesBodiesThroughTheWindows) {
  run([] {
    Http2Server server(basic_router());
    FrameClient client(server.address());
    std::string body;
    for (int i = 0; body.size() < 900'000; ++i) body += std::to_string(i) + ",";
    const Answer answer = client.call(post("/echo", {{"content-length", std::to_string(body.size())}}), body);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, body);
    EXPECT_EQ(client.call(get("/large")).body.size(), 3'000'000U);
    EXPECT_EQ(client.call(post("/echo")).body, "");
  });
}

TEST(ServerHttp2, StreamsAndTellsWhenAStreamBreaks) {
  run([] {
    Http2Server server(basic_router());
    FrameClient client(server.address());
    const Answer whole = client.call(get("/stream"));
    EXPECT_EQ(whole.body.size(), 1'000'000U);
    EXPECT_EQ(whole.field("content-length"), "");
    EXPECT_TRUE(whole.ended);
    const Answer sized = client.call(get("/sized"));
    EXPECT_EQ(sized.body, "one,two");
    EXPECT_EQ(sized.field("content-length"), "7");
    const Answer broken = client.call(get("/broken"));
    EXPECT_FALSE(broken.ended);
    EXPECT_EQ(broken.reset, 2U);  // INTERNAL_ERROR
    EXPECT_EQ(client.call(get("/ping")).body, "pong");
  });
}

TEST(ServerHttp2, AStreamedAnswerWaitsForItsReader) {
  run([] {
    std::atomic<int> written{0};
    Router router;
    router.get("/endless", [&](Exchange& c) {
      ResponseStream& stream = c.stream(200, "text/plain");
      while (true) {
        stream.write(std::string(16'384, 'x'));
        written.fetch_add(1);
      }
    });
    router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
    ServerOptions options;
    options.io_timeout = 100ms;
    Http2Server server(std::move(router), options);
    FrameClient client(server.address());
    client.give_room = false;
    const uint32_t id = client.ask(get("/endless"));
    const Answer& answer = client.wait(id);
    EXPECT_TRUE(answer.reset);
    EXPECT_LE(answer.body.size(), 65'535U);
    EXPECT_LT(written.load(), 20);
  });
}

// RFC 7540 section 3.2.
// What was to be sent still is asked for when the client has ended the connection, and the handlers with it.
TEST(ServerHttp2, AHalfClosedConnectionEndsItsStreams) {
  all_shapes([] {
    Router router;
    router.get("/pieces", [](Exchange& c) {
      ResponseStream& stream = c.stream(200, "text/plain");
      for (;;) stream.write(std::string(1000, 'x'));
    });
    Http2Server server(std::move(router));
    FrameClient client(server.address());
    client.give_room = false;
    std::vector<uint32_t> ids;
    for (int i = 0; i < 40; ++i) ids.push_back(client.ask(get("/pieces")));
    while (client.answer(ids.back()).status == 0 && client.receive()) {
    }
    std::string room = FrameClient::frame(FrameClient::kWindow, 0, 0, FrameClient::number(1 << 20, 4));
    for (const uint32_t id : ids)
      room += FrameClient::frame(FrameClient::kWindow, 0, id, FrameClient::number(1000, 4));
    client.send_raw(room);
    client.stream().shutdown_write();
    EXPECT_TRUE(client.wait_for_end());
    EXPECT_FALSE(client.answer(ids.back()).ended);
  });
}

TEST(ServerHttp2, UpgradesARequestOfHttp1) {
  run([] {
    Http2Server server(basic_router());
    const auto upgrade = [](std::string_view line, std::string_view settings = "AAMAAABkAARAAAAAAAIAAAAA") {
      return std::string(line) +
             "\r\nHost: a.test\r\nX-Keep: 1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
             "HTTP2-Settings: " + std::string(settings) + "\r\n\r\n";
    };
    {
      FrameClient client(server.address(), upgrade("GET /hello/you?q=1 HTTP/1.1"));
      EXPECT_THAT(client.switched(), ::testing::StartsWith("HTTP/1.1 101 "));
      const Answer first = client.wait(1);
      EXPECT_EQ(first.status, 200);
      EXPECT_EQ(first.body, "you|1|");
      EXPECT_EQ(first.field("x-host"), "a.test");
      EXPECT_EQ(client.call(get("/ping")).body, "pong");
      EXPECT_EQ(server.server().requests(), 2U);
    }
    const auto first_line = [&](const std::string& request) {
      net::TcpStream stream = net::TcpStream::connect(server.address());
      stream.write(request);
      std::string text;
      std::array<char, 1024> into;
      while (text.find("\r\n") == std::string::npos) {
        const std::size_t bytes = stream.read(into, now() + 10s).bytes;
        if (bytes == 0) break;
        text.append(into.data(), bytes);
      }
      return text.substr(0, text.find("\r\n"));
    };
    EXPECT_EQ(first_line(upgrade("GET /ping HTTP/1.1", "AAMAAABkAARAAAAAAAIAAA")), "HTTP/1.1 200 OK");
    EXPECT_EQ(first_line(upgrade("GET /ping HTTP/1.1", "*")), "HTTP/1.1 200 OK");
    EXPECT_EQ(first_line("GET /ping HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"), "HTTP/1.1 200 OK");
    EXPECT_EQ(first_line(upgrade("GET /ping HTTP/1.0")), "HTTP/1.1 200 OK");
  });
}

TEST(ServerHttp2, Says100BeforeABody) {
  run([] {
    Http2Server server(basic_router());
    FrameClient client(server.address());
    const uint32_t id =
        client.ask(post("/echo", {{"expect", "100-continue"}, {"content-length", "4"}}), std::nullopt);
    std::size_t heads = 0;
    while (heads == 0 && client.receive()) heads += client.frames.back().type == FrameClient::kHeaders;
    EXPECT_EQ(heads, 1U);
    client.send_body(id, "body");
    EXPECT_EQ(client.wait(id).body, "body");
  });
}

TEST(ServerHttp2, RefusesWhatIsTooLarge) {
  run([] {
    ServerOptions options;
    options.max_body_bytes = 100'000;
    Http2Server server(basic_router(), options);
    FrameClient client(server.address());
    EXPECT_EQ(client.call(post("/small"), "12345").status, 413);
    EXPECT_EQ(client.call(post("/small"), "1234").status, 200);
    const uint32_t announced = client.ask(post("/echo", {{"content-length", "100001"}}), std::nullopt);
    const Answer early = client.wait(announced);
    EXPECT_EQ(early.status, 413);
    while (!client.wait(announced).reset && client.receive()) {
    }
    EXPECT_EQ(client.wait(announced).reset, kNoError);
    EXPECT_EQ(client.call(get("/" + std::string(9000, 'a'))).status, 414);
    Fields many;
    for (int i = 0; i < 101; ++i) many.emplace_back("x-" + std::to_string(i), "1");
    EXPECT_EQ(client.call(get("/ping", many)).status, 431);
    EXPECT_EQ(client.call(get("/ping", {{"x-long", std::string(14'000, 'v')}})).status, 200);
    EXPECT_EQ(client.call(get("/ping")).body, "pong");
  });
}

// RFC 9113 section 8: malformed requests are answered by 400 or by a reset, and never reach a handler.
TEST(ServerHttp2, RefusesMalformedRequests) {
  run([] {
    std::atomic<int> handled{0};
    Router router;
    router.get("/x", [&](Exchange& c) {
      handled.fetch_add(1);
      c.empty(204);
    });
    router.post("/x", [&](Exchange& c) {
      handled.fetch_add(1);
      c.empty(204);
    });
    Http2Server server(std::move(router));
    FrameClient client(server.address());
    const std::vector<std::pair<const char*, Fields>> bad{
        {"upper-case name", get("/x", {{"X-Up", "1"}})},
        {"connection", get("/x", {{"connection", "close"}})},
        {"transfer-encoding", get("/x", {{"transfer-encoding", "chunked"}})},
        {"upgrade", get("/x", {{"upgrade", "h2c"}})},
        {"te", get("/x", {{"te", "gzip"}})},
        {"line break in a value", get("/x", {{"a", "1\r\nb: 2"}})},
        {"NUL in a value", get("/x", {{"a", std::string("1\0", 2)}})},
        {"line break in a name", get("/x", {{"a\r\nb", "1"}})},
        {"colon in a name", get("/x", {{"a:b", "1"}})},
        {"pseudo-field behind a field", get("/x", {{"a", "1"}, {":path", "/y"}})},
        {"two paths",
         {{":method", "GET"}, {":scheme", "http"}, {":path", "/x"}, {":path", "/y"}, {":authority", "a"}}},
        {"no path", {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}}},
        {"empty path", {{":method", "GET"}, {":scheme", "http"}, {":path", ""}, {":authority", "a"}}},
        {"path without a slash",
         {{":method", "GET"}, {":scheme", "http"}, {":path", "x"}, {":authority", "a"}}},
        {"no method", {{":scheme", "http"}, {":path", "/x"}, {":authority", "a"}}},
        {"no scheme", {{":method", "GET"}, {":path", "/x"}, {":authority", "a"}}},
        {"unknown pseudo-field", get("/x", {{":x", "1"}})},
        {"status in a request", get("/x", {{":status", "200"}})},
        {"space in the path", get("/x y")},
        {"request line in the path", get("/x HTTP/1.1\r\nhost: b")},
        {"method with a space", FrameClient::request("GET /y", "/x")},
        {"authority with a path",
         {{":method", "GET"}, {":scheme", "http"}, {":path", "/x"}, {":authority", "a/b"}}},
        {"no authority", {{":method", "GET"}, {":scheme", "http"}, {":path", "/x"}}},
        {"another host", get("/x", {{"host", "b.test"}})},
        {"two hosts", get("/x", {{"host", "a.test"}, {"host", "a.test"}})},
        {"dot segments", get("/../x")},
        {"encoded NUL", get("/x%00")},
        {"length that is none", post("/x", {{"content-length", "1x"}})},
        {"two lengths", post("/x", {{"content-length", "0"}, {"content-length", "1"}})},
    };
    for (const auto& [name, fields] : bad) {
      const Answer answer = client.call(fields);
      EXPECT_TRUE(answer.status == 400 || answer.status == 404 || answer.reset == kProtocolError)
          << name << ": " << answer.status;
      ASSERT_FALSE(client.over()) << name;
    }
    const Answer lied = client.call(post("/x", {{"content-length", "3"}}), "four");
    EXPECT_EQ(lied.reset, kProtocolError);
    EXPECT_EQ(handled.load(), 0);
    EXPECT_EQ(client.call(get("/x")).status, 204);
    EXPECT_EQ(client.call(get("/x", {{"host", "A.TEST"}, {"te", "trailers"}})).status, 204);
  });
}

// Sections 4 to 6: faults of the connection end it with GOAWAY.
TEST(ServerHttp2, EndsBrokenConnections) {
  run([] {
    Http2Server server(basic_router());
    const auto frame = [](uint8_t type, uint8_t flags, uint32_t id, std::string_view payload) {
      return FrameClient::frame(type, flags, id, payload);
    };
    const std::string head = FrameClient::block(get("/ping"));
    const std::vector<std::pair<const char*, std::string>> faults{
        {"DATA on stream 0", frame(FrameClient::kData, 0, 0, "x")},
        {"HEADERS on stream 0", frame(FrameClient::kHeaders, 5, 0, head)},
        {"HEADERS on an even stream", frame(FrameClient::kHeaders, 5, 2, head)},
        {"DATA on an idle stream", frame(FrameClient::kData, 0, 5, "x")},
        {"RST_STREAM on an idle stream", frame(FrameClient::kReset, 0, 5, FrameClient::number(0, 4))},
        {"WINDOW_UPDATE on an idle stream", frame(FrameClient::kWindow, 0, 5, FrameClient::number(1, 4))},
        {"CONTINUATION alone", frame(FrameClient::kContinuation, 4, 1, head)},
        {"another frame in a head",
         frame(FrameClient::kHeaders, 1, 1, head) + frame(FrameClient::kPing, 0, 0, "12345678")},
        {"frame too large", frame(FrameClient::kHeaders, 5, 1, std::string(16'385, 'x'))},
        {"SETTINGS of a wrong length", frame(FrameClient::kSettings, 0, 0, "12345")},
        {"SETTINGS on a stream", frame(FrameClient::kSettings, 0, 1, {})},
        {"acknowledgement with settings", frame(FrameClient::kSettings, 1, 0, "123456")},
        {"window size beyond 31 bits",
         frame(FrameClient::kSettings, 0, 0, std::string("\0\4\xff\xff\xff\xff", 6))},
        {"frame size too small", frame(FrameClient::kSettings, 0, 0, std::string("\0\5\0\0\0\1", 6))},
        {"push switched on and off", frame(FrameClient::kSettings, 0, 0, std::string("\0\2\0\0\0\2", 6))},
        {"PING of a wrong length", frame(FrameClient::kPing, 0, 0, "1234567")},
        {"PING on a stream", frame(FrameClient::kPing, 0, 1, "12345678")},
        {"window of the connection overflows",
         frame(FrameClient::kWindow, 0, 0, FrameClient::number(0x7fffffff, 4))},
        {"window grows by nothing", frame(FrameClient::kWindow, 0, 0, FrameClient::number(0, 4))},
        {"PUSH_PROMISE from a client", frame(FrameClient::kPush, 4, 1, FrameClient::number(2, 4) + head)},
        {"block that is no HPACK", frame(FrameClient::kHeaders, 5, 1, "\xff\xff\xff\xff\xff\xff")},
        {"index beyond the table", frame(FrameClient::kHeaders, 5, 1, "\xfe")},
        {"padding longer than the frame", frame(FrameClient::kHeaders, 13, 1, "\xff" + head)},
    };
    for (const auto& [name, bytes] : faults) {
      FrameClient client(server.address());
      client.send_raw(bytes);
      EXPECT_TRUE(client.wait_for_end()) << name;
      ASSERT_FALSE(client.goaways.empty()) << name;
      EXPECT_NE(client.goaways.back().second, kNoError) << name;
    }
    net::TcpStream wrong = net::TcpStream::connect(server.address());
    wrong.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    std::array<char, 1024> into;
    while (wrong.read(into, now() + 10s).bytes != 0) {
    }
    FrameClient client(server.address());
    EXPECT_EQ(client.call(get("/ping")).body, "pong");
  });
}

// Unknown frames and settings, priorities, padding: what must be borne.
TEST(ServerHttp2, BearsWhatItNeedNotKnow) {
  run([] {
    Http2Server server(basic_router());
    FrameClient client(server.address());
    client.send(0x42, 0xff, 0, "whatever");
    client.send(FrameClient::kSettings, 0, 0, std::string("\x12\x34\0\0\0\1", 6));
    client.send(FrameClient::kPriority, 0, 9, FrameClient::number(0, 4) + "\x10");
    const std::string head = FrameClient::block(get("/ping"));
    client.send(FrameClient::kHeaders,
                FrameClient::kEndStream | FrameClient::kEndHeaders | FrameClient::kPadded, 11,
                "\x03" + head + std::string(3, '\0'));
    EXPECT_EQ(client.wait(11).body, "pong");
    client.send(FrameClient::kHeaders, FrameClient::kEndStream, 13, head.substr(0, 10));
    client.send(FrameClient::kContinuation, FrameClient::kEndHeaders, 13, head.substr(10));
    EXPECT_EQ(client.wait(13).body, "pong");
    // A trailer ends a request as its last DATA would.
    client.send(FrameClient::kHeaders, FrameClient::kEndHeaders, 15, FrameClient::block(post("/echo")));
    client.send(FrameClient::kData, 0, 15, "body");
    client.send(FrameClient::kHeaders, FrameClient::kEndHeaders | FrameClient::kEndStream, 15,
                FrameClient::block({{"x-sum", "1"}}));
    EXPECT_EQ(client.wait(15).body, "body");
    client.send(FrameClient::kPing, 0, 0, "12345678");
    bool answered = false;
    while (!answered && client.receive())
      answered =
          client.frames.back().type == FrameClient::kPing && client.frames.back().payload == "12345678";
    EXPECT_TRUE(answered);
  });
}

TEST(ServerHttp2, AResetEndsTheContextOfItsRequest) {
  run([] {
    Chan<int> begun = make_chan<int>(1);
    Chan<Code> ended = make_chan<Code>(1);
    Router router;
    router.get("/wait", [&](Exchange&) {
      begun.send(1);
      try {
        sleep(1h);
      } catch (const Error& error) {
        ended.send(error.code());
        throw;
      }
    });
    router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
    Http2Server server(std::move(router));
    FrameClient client(server.address());
    const uint32_t id = client.ask(get("/wait"));
    begun.recv();
    client.send(FrameClient::kReset, 0, id, FrameClient::number(kCancel, 4));
    EXPECT_EQ(ended.recv(), Code::kCancelled);
    EXPECT_EQ(client.call(get("/ping")).body, "pong");
    // So does the end of the connection.
    client.ask(get("/wait"));
    begun.recv();
    client.stream().close();
    EXPECT_EQ(ended.recv(), Code::kCancelled);
  });
}

TEST(ServerHttp2, AnIdleConnectionHasNoGoroutine) {
  run([] {
    Http2Server server(basic_router());
    std::vector<std::unique_ptr<FrameClient>> clients;
    for (int i = 0; i < 20; ++i) {
      clients.push_back(std::make_unique<FrameClient>(server.address()));
      EXPECT_EQ(clients.back()->call(get("/ping")).body, "pong");
    }
    while (num_goroutines() >= clients.size()) sleep(10ms);
    for (auto& client : clients) EXPECT_EQ(client->call(get("/ping")).body, "pong");
    EXPECT_EQ(server.server().connections(), 20U);
  });
}

TEST(ServerHttp2, DrainsWhatIsUnderWay) {
  run([] {
    Chan<int> begun = make_chan<int>(1);
    Chan<int> go_on = make_chan<int>();
    Router router;
    router.get("/slow", [&](Exchange& c) {
      begun.send(1);
      go_on.recv();
      c.text(200, "done");
    });
    router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
    Http2Server server(std::move(router));
    FrameClient busy(server.address());
    FrameClient idle(server.address());
    EXPECT_EQ(idle.call(get("/ping")).body, "pong");
    const uint32_t id = busy.ask(get("/slow"));
    begun.recv();
    WaitGroup stopping;
    stopping.go([&] { server.stop(10s); });
    while (busy.goaways.empty() && busy.receive()) {
    }
    ASSERT_EQ(busy.goaways.size(), 1U);
    EXPECT_EQ(busy.goaways[0], std::pair(0x7fffffffU, kNoError));
    EXPECT_EQ(busy.call(get("/ping")).body, "pong");  // it was on its way
    while (busy.goaways.size() < 2 && busy.receive()) {
    }
    EXPECT_EQ(busy.goaways.back(), std::pair(id + 2, kNoError));
    go_on.close();
    EXPECT_EQ(busy.wait(id).body, "done");
    EXPECT_TRUE(busy.wait_for_end());
    EXPECT_TRUE(idle.wait_for_end());
    ASSERT_FALSE(idle.goaways.empty());
    EXPECT_EQ(idle.goaways.back(), std::pair(1U, kNoError));
    stopping.wait();
  });
}

TEST(ServerHttp2, ADrainThatIsOverCancels) {
  run([] {
    Chan<int> begun = make_chan<int>(1);
    Router router;
    router.get("/slow", [&](Exchange&) {
      begun.send(1);
      sleep(1h);
    });
    Http2Server server(std::move(router));
    FrameClient client(server.address());
    const uint32_t id = client.ask(get("/slow"));
    begun.recv();
    WaitGroup stopping;
    stopping.go([&] { server.stop(50ms); });
    EXPECT_EQ(client.wait(id).status, 503);
    stopping.wait();
  });
}

// --- Attacks. Beside each a client that behaves is served.

struct Attacked {
  explicit Attacked(ServerOptions options = {}) : server(basic_router(), std::move(options)) {}
  void expect_service() {
    FrameClient good(server.address());
    EXPECT_EQ(good.call(get("/ping")).body, "pong");
  }
  // The flood is cut with that code.
  void expect_cut(FrameClient& client, uint32_t code = kEnhanceYourCalm) {
    expect_service();
    EXPECT_TRUE(client.wait_for_end());
    ASSERT_FALSE(client.goaways.empty());
    EXPECT_EQ(client.goaways.back().second, code);
  }
  Http2Server server;
};

TEST(ServerHttp2Attack, RapidReset) {
  run([] {
    Attacked attacked;
    FrameClient client(attacked.server.address());
    const std::string head = FrameClient::block(get("/ping"));
    std::string flood;
    for (uint32_t id = 1; id < 4000; id += 2) {
      flood += FrameClient::frame(FrameClient::kHeaders, FrameClient::kEndStream | FrameClient::kEndHeaders,
                                  id, head);
      flood += FrameClient::frame(FrameClient::kReset, 0, id, FrameClient::number(kCancel, 4));
    }
    client.send_raw(flood);
    attacked.expect_cut(client);
    EXPECT_LT(attacked.server.server().requests(), 300U);
  });
}

TEST(ServerHttp2Attack, HandlersThatOutliveTheirStreamsKeepTheirSlots) {
  run([] {
    std::atomic<int> running{0};
    std::atomic<int> most{0};
    Chan<int> go_on = make_chan<int>();
    Router router;
    router.get("/stubborn", [&](Exchange&) {
      const int now_running = running.fetch_add(1) + 1;
      int seen = most.load();
      while (seen < now_running && !most.compare_exchange_weak(seen, now_running)) {
      }
      const Shield shield;
      go_on.recv();
      running.fetch_sub(1);
    });
    Http2Server server(std::move(router));
    FrameClient client(server.address());
    // Slowly enough for the limit on resets.
    for (int i = 0; i < 95; ++i) {
      const uint32_t id = client.ask(get("/stubborn"));
      client.send(FrameClient::kReset, 0, id, FrameClient::number(kCancel, 4));
    }
    for (int i = 0; i < 100; ++i) client.ask(get("/stubborn"));
    client.send(FrameClient::kPing, 0, 0, "12345678");
    while (client.receive() && client.frames.back().type != FrameClient::kPing) {
    }
    EXPECT_LE(most.load(), 100);
    go_on.close();
  });
}

TEST(ServerHttp2Attack, Continuation) {
  run([] {
    Attacked attacked;
    FrameClient client(attacked.server.address());
    client.send(FrameClient::kHeaders, FrameClient::kEndStream, 1, FrameClient::block(get("/ping")));
    std::string flood;
    for (int i = 0; i < 100; ++i)
      flood += FrameClient::frame(FrameClient::kContinuation, 0, 1, FrameClient::block({{"x", "y"}}));
    client.send_raw(flood);
    attacked.expect_service();
    EXPECT_TRUE(client.wait_for_end());
  });
}

TEST(ServerHttp2Attack, FloodsOfSmallFrames) {
  run([] {
    Attacked attacked;
    const std::vector<std::pair<const char*, std::string>> kinds{
        {"PING", FrameClient::frame(FrameClient::kPing, 0, 0, "12345678")},
        {"SETTINGS", FrameClient::frame(FrameClient::kSettings, 0, 0, {})},
        {"PRIORITY", FrameClient::frame(FrameClient::kPriority, 0, 1, FrameClient::number(0, 4) + "\x10")},
        {"WINDOW_UPDATE", FrameClient::frame(FrameClient::kWindow, 0, 0, FrameClient::number(1, 4))},
    };
    for (const auto& [name, one] : kinds) {
      FrameClient client(attacked.server.address());
      std::string flood;
      for (int i = 0; i < 20'000; ++i) flood += one;
      client.send_raw(flood);
      attacked.expect_service();
      EXPECT_TRUE(client.wait_for_end()) << name;
    }
    FrameClient client(attacked.server.address());
    client.ask(post("/echo"), std::nullopt);
    std::string flood;
    for (int i = 0; i < 20'000; ++i) flood += FrameClient::frame(FrameClient::kData, 0, 1, {});
    client.send_raw(flood);
    attacked.expect_cut(client);
  });
}

// A field of 4 KiB in the table, named by one byte again and again.
TEST(ServerHttp2Attack, HpackBomb) {
  run([] {
    Attacked attacked;
    FrameClient client(attacked.server.address());
    std::string block = FrameClient::block(get("/ping"));
    block += "\x40\x01x\x7f\xa1\x1e" + std::string(4000, 'v');  // 127 + 0x21 + 0x1e * 128 bytes, stored
    block += std::string(8000, '\xbe');
    client.send(FrameClient::kHeaders, FrameClient::kEndStream | FrameClient::kEndHeaders, 1, block);
    const Answer& answer = client.wait(1);
    EXPECT_TRUE(answer.status == 431 || client.over()) << answer.status;
    attacked.expect_service();
  });
}

TEST(ServerHttp2Attack, SlowHeadBodyAndReading) {
  run([] {
    ServerOptions options;
    options.header_timeout = 200ms;
    options.io_timeout = 200ms;
    Attacked attacked(options);
    FrameClient slow_head(attacked.server.address());
    slow_head.send(FrameClient::kHeaders, FrameClient::kEndStream, 1, FrameClient::block(get("/ping")));
    FrameClient slow_body(attacked.server.address());
    const uint32_t body = slow_body.ask(post("/echo"), std::nullopt);
    slow_body.send(FrameClient::kData, 0, body, "x");
    FrameClient slow_reader(attacked.server.address());
    slow_reader.give_room = false;
    const uint32_t large = slow_reader.ask(get("/large"));
    attacked.expect_service();
    EXPECT_TRUE(slow_head.wait_for_end());
    EXPECT_EQ(slow_body.wait(body).status, 408);
    EXPECT_EQ(slow_reader.wait(large).reset, kCancel);
    EXPECT_EQ(slow_reader.wait(large).body.size(), 65'535U);
    attacked.expect_service();
  });
}

TEST(ServerHttp2Attack, TooManyStreams) {
  run([] {
    Chan<int> go_on = make_chan<int>();
    Router router;
    router.get("/slow", [&](Exchange& c) {
      go_on.recv();
      c.empty(204);
    });
    Http2Server server(std::move(router));
    FrameClient client(server.address());
    std::vector<uint32_t> ids;
    for (int i = 0; i < 105; ++i) ids.push_back(client.ask(get("/slow")));
    for (std::size_t i = 100; i < ids.size(); ++i)
      EXPECT_EQ(client.wait(ids[i]).reset, 7U);  // REFUSED_STREAM
    go_on.close();
    for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(client.wait(ids[i]).status, 204);
  });
}

// Many bodies at once get no more room than kMaxBuffered and each its window; who sends more is cut.
TEST(ServerHttp2Attack, BodiesAreBufferedWithinBounds) {
  run([] {
    ServerOptions options;
    options.io_timeout = 300ms;
    Attacked attacked(options);
    FrameClient client(attacked.server.address());
    std::vector<uint32_t> ids;
    std::size_t sent = 0;
    const std::string piece(16'384, 'b');
    for (int i = 0; i < 90; ++i) ids.push_back(client.ask(post("/echo"), std::nullopt));
    bool reset = false;
    for (int round = 0; round < 30 && !reset; ++round) {
      for (const uint32_t id : ids) {
        client.send_body(id, piece, false);
        sent += piece.size();
        if (client.over() || client.frames.size() > 100'000) reset = true;
        for (const Frame& frame : client.frames) reset = reset || frame.type == FrameClient::kHeaders;
        if (reset) break;
      }
    }
    EXPECT_TRUE(reset);
    EXPECT_LT(sent, 11U << 20);
    attacked.expect_service();
  });
}

}  // namespace
}  // namespace degu::http
