#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/internal/websocket_frame.h>
#include <degu/http/server.h>
#include <degu/http/testing/frame_client.h>
#include <degu/http/websocket.h>
#include <degu/http/websocket_client.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::Answer;
using degu::testing::code_of;
using degu::testing::Fields;
using degu::testing::Frame;
using degu::testing::FrameClient;
using internal::FrameParser;
using internal::Opcode;
using ::testing::HasSubstr;

constexpr uint32_t kNoError = 0;
constexpr uint32_t kProtocolError = 1;
constexpr uint32_t kCancel = 8;
constexpr uint16_t kEnableConnect = 8;  // RFC 8441 section 3

class SocketServer {
 public:
  explicit SocketServer(Router router, ServerOptions options = {})
      : listener_(net::TcpListener::listen("127.0.0.1:0")), server_(std::move(router), std::move(options)) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~SocketServer() { stop(30s); }
  void stop(std::chrono::nanoseconds drain) {
    server_.shutdown(drain);
    done_.wait();
  }
  std::string address() const { return listener_.address(); }

 private:
  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
};

WebSocketOptions quick() {
  WebSocketOptions options;
  options.limits.max_message_bytes = 1000;
  options.limits.ping_interval = 0s;
  return options;
}

Router echo_router(WebSocketOptions options = quick()) {
  Router router;
  router.get("/",
             [options](Exchange& c) {
               websocket(c, options, [](WebSocket& socket) {
                 while (const auto message = socket.recv()) socket.send(*message);
               });
             },
             {.long_lived = true});
  router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
  return router;
}

Fields connect(std::string_view path = "/", const Fields& more = {}) {
  Fields fields{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "http"},
                {":path", ""},          {":authority", "a.test"},   {"sec-websocket-version", "13"}};
  fields[3].second = path;
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

Fields without(Fields fields, std::string_view name) {
  std::erase_if(fields, [&](const auto& field) { return field.first == name; });
  return fields;
}

Fields with(Fields fields, std::string_view name, std::string_view value) {
  for (auto& field : fields) {
    if (field.first == name) field.second = value;
  }
  return fields;
}

std::string frame(Opcode opcode, std::string_view payload, bool fin = true, bool compressed = false) {
  std::string out;
  internal::append_frame(out, {.opcode = opcode, .fin = fin, .compressed = compressed}, payload,
                         std::array<uint8_t, 4>{1, 2, 3, 4});
  return out;
}

std::string close_payload(int code) { return {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)}; }

// A WebSocket on one stream of a client.
class Socket {
 public:
  explicit Socket(FrameClient& client, const Fields& fields = connect())
      : client_(client), id_(client.ask(fields, std::nullopt)) {
    while (answer().status == 0 && !answer().reset && client_.receive()) {
    }
  }

  const Answer& answer() { return client_.answer(id_); }
  uint32_t id() const { return id_; }
  void send(Opcode opcode, std::string_view payload) {
    client_.send_body(id_, frame(opcode, payload), false);
  }
  void send_raw(std::string_view bytes) { client_.send_body(id_, bytes, false); }
  void end() { client_.send(FrameClient::kData, FrameClient::kEndStream, id_, {}); }
  void reset(uint32_t code = kCancel) {
    client_.send(FrameClient::kReset, 0, id_, FrameClient::number(code, 4));
  }

  // "1 hello" for a text, "8 1000 why" for a Close, "end" or "reset 8" at the end of the stream.
  std::string next() {
    std::string said;
    for (;;) {
      std::string input = answer().body.substr(seen_);
      std::span<char> left(input);
      const auto event = parser_.next(left);
      if (event == FrameParser::Event::kPayload) said += parser_.payload();
      seen_ += input.size() - left.size();
      if (event == FrameParser::Event::kError) return "broken";
      if (event == FrameParser::Event::kFrameEnd) break;
      if (event != FrameParser::Event::kNeedInput) continue;
      if (answer().ended) return "end";
      if (answer().reset) return fmt::format("reset {}", *answer().reset);
      if (!client_.receive()) return "over";
    }
    if (parser_.head().opcode == Opcode::kClose && said.size() >= 2) {
      const int code = static_cast<unsigned char>(said[0]) << 8 | static_cast<unsigned char>(said[1]);
      said = std::to_string(code) + (said.size() > 2 ? " " : "") + said.substr(2);
    }
    return fmt::format("{}{} {}", static_cast<int>(parser_.head().opcode),
                       parser_.head().compressed ? "z" : "", said);
  }

 private:
  FrameClient& client_;
  const uint32_t id_;
  std::size_t seen_ = 0;
  FrameParser parser_{{.masked = false, .compression = true, .max_payload_bytes = 4 << 20}};
};

// --- The handshake

TEST(WebSocketHttp2, IsAnnounced) {
  run([] {
    SocketServer server(echo_router());
    FrameClient client(server.address());
    client.call(FrameClient::request("GET", "/ping"));
    const Frame& settings = client.frames.front();
    ASSERT_EQ(settings.type, FrameClient::kSettings);
    EXPECT_THAT(settings.payload,
                HasSubstr(FrameClient::number(kEnableConnect, 2) + FrameClient::number(1, 4)));
  });
}

TEST(WebSocketHttp2, OneRouteServesBothVersions) {
  all_shapes([] {
    SocketServer server(echo_router());
    FrameClient client(server.address());
    Socket socket(client);
    EXPECT_EQ(socket.answer().status, 200);
    for (const std::string_view name : {"sec-websocket-accept", "connection", "upgrade", "content-length",
                                        "sec-websocket-protocol", "sec-websocket-extensions"})
      EXPECT_EQ(socket.answer().field(name), "") << name;
    socket.send(Opcode::kText, "over two");
    EXPECT_EQ(socket.next(), "1 over two");
    WebSocket other = connect_websocket("ws://" + server.address());
    other.send_text("over one");
    EXPECT_EQ(other.recv()->data, "over one");
    socket.send(Opcode::kClose, close_payload(1000));
    EXPECT_EQ(socket.next(), "8 1000");
    EXPECT_EQ(socket.next(), "end");
  });
}

TEST(WebSocketHttp2, TheChainIsAroundIt) {
  run([] {
    auto seen = make_chan<std::string>(1);
    Router router;
    router.use([&](Exchange& c) {
      c.set_header("X-Chain", "yes");
      c.next();
      seen.send(fmt::format("{} {} {}", c.method(), c.route(), c.status()));
    });
    router.get("/hello/:name", [](Exchange& c) {
      websocket(c, {}, [&](WebSocket& socket) {
        socket.send_text(std::string(c.param("name")).append(c.query("q")).append(c.host()));
      });
    });
    SocketServer server(std::move(router));
    FrameClient client(server.address());
    Socket socket(client, connect("/hello/ada?q=%21"));
    EXPECT_EQ(socket.answer().field("x-chain"), "yes");
    EXPECT_EQ(socket.next(), "1 ada!a.test");
    EXPECT_EQ(socket.next(), "8 1000");
    socket.send(Opcode::kClose, close_payload(1000));
    EXPECT_EQ(socket.next(), "end");
    EXPECT_EQ(seen.recv(), "GET /hello/:name 200");
  });
}

TEST(WebSocketHttp2, RefusesWhatIsNoHandshake) {
  run([] {
    SocketServer server(echo_router());
    const std::vector<std::pair<Fields, int>> cases = {
        {with(connect(), "sec-websocket-version", "8"), 426},
        {without(connect(), "sec-websocket-version"), 426},
        {connect("/", {{"sec-websocket-version", "13"}}), 426},
        {connect("/", {{"origin", "http://evil.example"}}), 403},
        {connect("/", {{"origin", "http://a.test"}}), 200},
        {connect("/", {{"sec-websocket-key", "of no use"}}), 200},
        {connect("/", {{"content-length", "0"}}), 400},
        {connect("/missing"), 404},
        {with(connect(), ":protocol", "connect-udp"), 501},
        {with(connect(), ":protocol", "WebSocket"), 200},
    };
    for (const auto& [fields, status] : cases) {
      FrameClient client(server.address());
      Socket socket(client, fields);
      EXPECT_EQ(socket.answer().status, status) << ::testing::PrintToString(fields);
      if (status == 200) continue;
      client.wait(socket.id());
      EXPECT_TRUE(socket.answer().ended);
      if (status == 426) {
        EXPECT_EQ(socket.answer().field("sec-websocket-version"), "13");
      }
      EXPECT_EQ(client.call(FrameClient::request("GET", "/ping")).body, "pong");
    }
    FrameClient client(server.address());
    EXPECT_EQ(client.call(FrameClient::request("GET", "/")).status, 426);
  });
}

TEST(WebSocketHttp2, RefusesWhatIsNoExtendedConnect) {
  run([] {
    SocketServer server(echo_router());
    const std::vector<Fields> cases = {
        without(connect(), ":path"),
        without(connect(), ":scheme"),
        without(connect(), ":authority"),
        without(connect(), ":method"),
        with(connect(), ":method", "GET"),
        with(connect(), ":path", ""),
        with(connect(), ":protocol", ""),
        connect("/", {{":protocol", "websocket"}}),
        connect("/", {{"connection", "upgrade"}}),
        connect("/", {{"upgrade", "websocket"}}),
    };
    for (const Fields& fields : cases) {
      FrameClient client(server.address());
      Socket socket(client, fields);
      const Answer answer = client.wait(socket.id());
      EXPECT_TRUE(answer.reset == kProtocolError || answer.status == 400 || answer.status == 501)
          << ::testing::PrintToString(fields) << answer.status;
      EXPECT_EQ(client.call(FrameClient::request("GET", "/ping")).body, "pong");
    }
  });
}

TEST(WebSocketHttp2, BeginsWithAnOpenStream) {
  run([] {
    SocketServer server(echo_router());
    FrameClient client(server.address());
    const Answer answer = client.call(connect());
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("the end of its stream"));
  });
}

TEST(WebSocketHttp2, OtherAnswersAreNoSuccess) {
  run([] {
    Router router;
    router.get("/plain", [](Exchange& c) { c.text(200, "pong"); });
    router.get("/nothing", [](Exchange&) {});
    router.get("/stream", [](Exchange& c) { c.stream(200, "text/plain").write("piece"); });
    router.get("/empty-stream", [](Exchange& c) { c.stream(200, "text/plain"); });
    router.get("/body", [](Exchange& c) {
      std::array<char, 10> part;
      c.text(409, std::to_string(c.body_stream().read(part)));
    });
    router.get("/streamed-body",
               [](Exchange& c) {
                 std::array<char, 10> part;
                 c.text(409, std::to_string(c.body_stream().read(part)));
               },
               {.stream_body = true});
    router.get("/teapot", [](Exchange& c) { c.stream(418, "text/plain").write("tea"); });
    SocketServer server(std::move(router));
    FrameClient client(server.address());
    for (const auto& [path, status, body] : {std::tuple{"/plain", 501, "not served as a WebSocket"},
                                             {"/nothing", 501, "not served as a WebSocket"},
                                             {"/stream", 501, "not served as a WebSocket"},
                                             {"/empty-stream", 501, "not served as a WebSocket"},
                                             {"/body", 409, "0"},
                                             {"/streamed-body", 409, "0"},
                                             {"/teapot", 418, "tea"}}) {
      Socket socket(client, connect(path));
      socket.send(Opcode::kText, "hello?");
      const Answer answer = client.wait(socket.id());
      EXPECT_EQ(answer.status, status) << path;
      EXPECT_THAT(answer.body, HasSubstr(body)) << path;
      EXPECT_TRUE(answer.ended) << path;
    }
  });
}

TEST(WebSocketHttp2, ChoosesASubprotocol) {
  run([] {
    WebSocketOptions options = quick();
    options.subprotocols = {"v2", "v1"};
    SocketServer server(echo_router(options));
    FrameClient client(server.address());
    EXPECT_EQ(Socket(client, connect("/", {{"sec-websocket-protocol", "v1, v2"}}))
                  .answer()
                  .field("sec-websocket-protocol"),
              "v2");
    EXPECT_EQ(Socket(client, connect("/", {{"sec-websocket-protocol", "v0"}}))
                  .answer()
                  .field("sec-websocket-protocol"),
              "");
  });
}

// --- Messages

TEST(WebSocketHttp2, TalksInAnyPieces) {
  run([] {
    SocketServer server(echo_router());
    const std::string talk = frame(Opcode::kText, "h\xc3\xa4") + frame(Opcode::kBinary, "a", false) +
                             frame(Opcode::kPing, "p") + frame(Opcode::kContinuation, "\xff") +
                             frame(Opcode::kClose, close_payload(3000));
    for (const std::size_t step : {talk.size(), std::size_t{1}, std::size_t{7}}) {
      FrameClient client(server.address());
      Socket socket(client);
      for (std::size_t at = 0; at < talk.size(); at += step) socket.send_raw(talk.substr(at, step));
      for (const char* expected : {"1 h\xc3\xa4", "10 p", "2 a\xff", "8 3000", "end"})
        EXPECT_EQ(socket.next(), expected) << step;
    }
  });
}

TEST(WebSocketHttp2, SaysWhatWasWrong) {
  run([] {
    SocketServer server(echo_router());
    FrameClient client(server.address());
    for (const auto& [sent, heard] :
         {std::pair{std::string("\x81\x01z"), "8 1002 a frame is not masked"},
          {frame(Opcode::kText, "a\xff"), "8 1007 a text is not UTF-8"},
          {frame(Opcode::kText, std::string(1001, 'x')), "8 1009 a frame is too long"},
          {frame(Opcode::kContinuation, "a"), "8 1002 a continuation of nothing"}}) {
      Socket socket(client);
      socket.send_raw(sent);
      EXPECT_EQ(socket.next(), heard);
      EXPECT_EQ(socket.next(), "end");
    }
    EXPECT_EQ(client.call(FrameClient::request("GET", "/ping")).body, "pong");
  });
}

TEST(WebSocketHttp2, ManyShareAConnection) {
  all_shapes([] {
    SocketServer server(echo_router());
    FrameClient client(server.address());
    std::vector<std::unique_ptr<Socket>> sockets;
    for (int i = 0; i < 50; ++i) sockets.push_back(std::make_unique<Socket>(client));
    for (int round = 0; round < 3; ++round) {
      for (auto& socket : sockets) socket->send(Opcode::kText, fmt::format("{} {}", socket->id(), round));
      for (auto& socket : sockets) {
        EXPECT_EQ(socket->next(), fmt::format("1 {} {}", socket->id(), round));
      }
      EXPECT_EQ(client.call(FrameClient::request("GET", "/ping")).body, "pong");
    }
    for (auto& socket : sockets) socket->end();
  });
}

// A WebSocket is one of the 100 streams.
TEST(WebSocketHttp2, CountsAsAStream) {
  run([] {
    SocketServer server(echo_router());
    FrameClient client(server.address());
    std::vector<std::unique_ptr<Socket>> sockets;
    for (int i = 0; i < 100; ++i) sockets.push_back(std::make_unique<Socket>(client));
    EXPECT_EQ(sockets.back()->answer().status, 200);
    sockets.front()->send(Opcode::kClose, close_payload(1000));
    sockets.front()->end();
    EXPECT_EQ(sockets.front()->next(), "8 1000");
    EXPECT_EQ(sockets.front()->next(), "end");
    EXPECT_EQ(client.call(FrameClient::request("GET", "/ping")).body, "pong");
    sockets.push_back(std::make_unique<Socket>(client));
    EXPECT_EQ(sockets.back()->answer().status, 200);
    client.get("/ping");
    EXPECT_TRUE(client.wait_for_end());
    EXPECT_EQ(client.goaways.back().second, kProtocolError);
  });
}

TEST(WebSocketHttp2, MovesMoreThanTheWindows) {
  run([] {
    WebSocketOptions options;
    options.limits.max_message_bytes = 4 << 20;
    SocketServer server(echo_router(options));
    FrameClient client(server.address());
    Socket socket(client);
    const std::string large(3'000'000, 'x');
    socket.send(Opcode::kBinary, large);
    EXPECT_TRUE(socket.next() == "2 " + large);
  });
}

TEST(WebSocketHttp2, CompressesWhenBothWant) {
  run([] {
    WebSocketOptions options = quick();
    options.limits.compression = {.enabled = true, .min_bytes = 0};
    SocketServer server(echo_router(options));
    FrameClient client(server.address());
    Socket socket(client, connect("/", {{"sec-websocket-extensions", "permessage-deflate"}}));
    EXPECT_THAT(socket.answer().field("sec-websocket-extensions"), HasSubstr("permessage-deflate"));
    // RFC 7692 section 7.2.3.1.
    const std::string hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    socket.send_raw(frame(Opcode::kText, hello, true, true));
    EXPECT_EQ(socket.next(), "1z " + hello);
    socket.send_raw(frame(Opcode::kText, "\xff\xff\xff", true, true));
    EXPECT_EQ(socket.next(), "8 1007 a message does not decompress");
  });
}

// --- Back-pressure

TEST(WebSocketHttp2, HoldsBackWhoSendsMoreThanIsRead) {
  run([] {
    auto go_on = make_chan<int>();
    Router router;
    router.get("/", [&](Exchange& c) {
      websocket(c, quick(), [&](WebSocket& socket) {
        go_on.recv();
        while (socket.recv()) {
        }
      });
    });
    SocketServer server(std::move(router));
    FrameClient client(server.address());
    Socket socket(client);
    const std::string message = frame(Opcode::kBinary, std::string(900, 'x'));
    std::string many;
    while (many.size() < 65'535) many += message;
    client.send_body(socket.id(), many.substr(0, 65'535), false);  // all that the window lets through
    client.send(FrameClient::kPing, 0, 0, "12345678");
    const auto grown = [&] {
      return std::any_of(client.frames.begin(), client.frames.end(), [&](const Frame& got) {
        return got.type == FrameClient::kWindow && got.stream == socket.id();
      });
    };
    while (client.frames.back().type != FrameClient::kPing && client.receive()) {
    }
    EXPECT_FALSE(grown());
    go_on.send(1);
    while (!grown() && client.receive()) {
    }
    EXPECT_TRUE(grown());
    socket.end();
    EXPECT_EQ(socket.next(), "8 1000");
  });
}

TEST(WebSocketHttp2, AnswersMoreOnceTheClientReads) {
  run([] {
    auto ends = make_chan<int>(1);
    Router router;
    router.get("/", [&](Exchange& c) {
      websocket(c, quick(), [&](WebSocket& socket) {
        for (int i = 0; i < 300; ++i) socket.send_binary(std::string(900, 'x'));
        ends.send(1);
      });
    });
    SocketServer server(std::move(router));
    FrameClient client(server.address());
    client.give_room = false;
    Socket socket(client);
    while (socket.answer().body.size() < 65'535 && client.receive()) {
    }
    EXPECT_FALSE(ends.try_recv());
    client.give_room = true;
    client.send(FrameClient::kWindow, 0, 0, FrameClient::number(1 << 20, 4));
    client.send(FrameClient::kWindow, 0, socket.id(), FrameClient::number(1 << 20, 4));
    for (int i = 0; i < 300; ++i) ASSERT_EQ(socket.next(), "2 " + std::string(900, 'x'));
    EXPECT_EQ(ends.recv(), 1);
    EXPECT_EQ(socket.next(), "8 1000");
  });
}

TEST(WebSocketHttp2, GivesUpWhoDoesNotRead) {
  run([] {
    auto ends = make_chan<Code>(1);
    WebSocketOptions options = quick();
    options.limits.write_timeout = 10ms;
    Router router;
    router.get("/", [&](Exchange& c) {
      websocket(c, options, [&](WebSocket& socket) {
        ends.send(code_of([&] {
          for (;;) socket.send_binary(std::string(900, 'x'));
        }));
        EXPECT_FALSE(socket.recv());
        EXPECT_EQ(socket.close_code(), 1006);
      });
    });
    SocketServer server(std::move(router));
    FrameClient client(server.address());
    client.give_room = false;
    Socket socket(client);
    EXPECT_EQ(ends.recv(), Code::kUnavailable);
    EXPECT_EQ(client.wait(socket.id()).reset, kCancel);
  });
}

// --- How it ends

// The code that the handler sees when its client does `f`.
template <class F>
int seen_when(F f) {
  auto ends = make_chan<int>(1);
  Router router;
  router.get("/", [&](Exchange& c) {
    websocket(c, quick(), [&](WebSocket& socket) {
      while (socket.recv()) {
      }
      ends.send(socket.close_code());
    });
  });
  SocketServer server(std::move(router));
  auto client = std::make_unique<FrameClient>(server.address());
  Socket socket(*client);
  f(client, socket);
  return *ends.recv();
}

TEST(WebSocketHttp2, LearnsThatTheOtherEndIsGone) {
  run([] {
    EXPECT_EQ(seen_when([](auto&, Socket& socket) { socket.send(Opcode::kClose, close_payload(3001)); }),
              3001);
    EXPECT_EQ(seen_when([](auto&, Socket& socket) { socket.send(Opcode::kClose, ""); }), 1005);
    EXPECT_EQ(seen_when([](auto&, Socket& socket) { socket.end(); }), 1006);
    EXPECT_EQ(seen_when([](auto&, Socket& socket) { socket.reset(); }), 1006);
    EXPECT_EQ(seen_when([](auto&, Socket& socket) {
                socket.send_raw(frame(Opcode::kText, "half").substr(0, 3));
                socket.end();
              }),
              1006);
    EXPECT_EQ(seen_when([](auto& client, Socket&) { client.reset(); }), 1006);
  });
}

TEST(WebSocketHttp2, SendsNothingToWhoIsGone) {
  run([] {
    auto ends = make_chan<bool>(1);
    Router router;
    router.get("/", [&](Exchange& c) {
      websocket(c, quick(), [&](WebSocket& socket) {
        while (socket.recv()) {
        }
        const Code code = code_of([&] { socket.send_text("anybody?"); });
        ends.send(code == Code::kUnavailable || code == Code::kCancelled);
      });
    });
    SocketServer server(std::move(router));
    FrameClient client(server.address());
    Socket socket(client);
    socket.reset();
    EXPECT_EQ(ends.recv(), true);
    EXPECT_EQ(client.call(FrameClient::request("GET", "/none")).status, 404);
    EXPECT_EQ(socket.answer().body, "");
  });
}

// No new streams; those there are go on (RFC 9113 section 6.8).
TEST(WebSocketHttp2, AGoawayOfTheClientEndsNoWebSocket) {
  run([] {
    SocketServer server(echo_router());
    FrameClient client(server.address());
    Socket socket(client);
    client.send(FrameClient::kGoaway, 0, 0, FrameClient::number(0, 4) + FrameClient::number(kNoError, 4));
    socket.send(Opcode::kText, "still here");
    EXPECT_EQ(socket.next(), "1 still here");
    socket.send(Opcode::kClose, close_payload(1000));
    socket.end();
    EXPECT_EQ(socket.next(), "8 1000");
    EXPECT_EQ(socket.next(), "end");
    EXPECT_TRUE(client.wait_for_end());
  });
}

TEST(WebSocketHttp2, ClosesWhenTheHandlerIsDone) {
  run([] {
    Router router;
    router.get("/returns", [](Exchange& c) { websocket(c, {}, [](WebSocket&) {}); });
    router.get("/throws", [](Exchange& c) {
      websocket(c, {}, [](WebSocket&) { throw Error(Code::kUnavailable, "lost"); });
    });
    router.get("/ends", [](Exchange& c) {
      const CancelScope scope(1ms);
      websocket(c, {}, [](WebSocket& socket) { socket.recv(); });
    });
    SocketServer server(std::move(router));
    FrameClient client(server.address());
    for (const auto& [path, said] :
         {std::pair{"/returns", "8 1000"}, {"/throws", "8 1011"}, {"/ends", "8 1001"}}) {
      Socket socket(client, connect(path));
      EXPECT_EQ(socket.next(), said) << path;
      if (std::string_view(path) == "/returns") socket.send(Opcode::kClose, close_payload(1000));
      EXPECT_EQ(socket.next(), "end") << path;
    }
  });
}

// As with the close of a connection: who does not answer the end of the stream is let go a moment later.
TEST(WebSocketHttp2, LetsGoOfWhoDoesNotEndItsStream) {
  run([] {
    SocketServer server(echo_router());
    FrameClient client(server.address());
    Socket socket(client);
    socket.send(Opcode::kClose, close_payload(1000));
    EXPECT_EQ(socket.next(), "8 1000");
    EXPECT_EQ(socket.next(), "end");
    EXPECT_FALSE(socket.answer().reset);
    while (!socket.answer().reset && client.receive()) {
    }
    EXPECT_EQ(socket.answer().reset, kNoError);
    EXPECT_EQ(client.call(FrameClient::request("GET", "/ping")).body, "pong");
  });
}

TEST(WebSocketHttp2, ADrainSaysGoodbye) {
  run([] {
    SocketServer server(echo_router());
    FrameClient client(server.address());
    Socket socket(client);
    WaitGroup stopping;
    stopping.go([&] { server.stop(30s); });
    EXPECT_EQ(socket.next(), "8 1001 the server is shutting down");
    socket.send(Opcode::kClose, close_payload(1001));
    socket.end();
    EXPECT_EQ(socket.next(), "end");
    EXPECT_TRUE(client.wait_for_end());
    ASSERT_FALSE(client.goaways.empty());
    EXPECT_EQ(client.goaways.back(), std::pair(socket.id(), kNoError));
    stopping.wait();
  });
}

TEST(WebSocketHttp2, AClientThatDoesNotAnswerHoldsNoDrain) {
  run([] {
    WebSocketOptions options = quick();
    options.limits.close_timeout = 10ms;
    SocketServer server(echo_router(options));
    FrameClient client(server.address());
    Socket socket(client);
    WaitGroup stopping;
    stopping.go([&] { server.stop(30s); });
    EXPECT_EQ(socket.next(), "8 1001 the server is shutting down");
    EXPECT_EQ(socket.next(), "end");
    EXPECT_TRUE(client.wait_for_end());
    stopping.wait();
  });
}

TEST(WebSocketHttp2, TheEndOfADrainEndsIt) {
  run([] {
    auto ends = make_chan<Code>(1);
    Router router;
    router.get("/", [&](Exchange& c) {
      websocket(c, quick(), [&](WebSocket&) {
        ends.send(code_of([] { sleep(1h); }));
        throw Error(Code::kCancelled, "as the context says");
      });
    });
    SocketServer server(std::move(router));
    FrameClient client(server.address());
    Socket socket(client);
    WaitGroup stopping;
    stopping.go([&] { server.stop(10ms); });
    EXPECT_EQ(ends.recv(), Code::kCancelled);
    EXPECT_EQ(socket.next(), "8 1001 the server is shutting down");
    EXPECT_EQ(socket.next(), "end");
    stopping.wait();
  });
}

TEST(WebSocketHttp2, PingsAndGivesUpWhoDoesNotAnswer) {
  run([] {
    auto ends = make_chan<int>(1);
    WebSocketOptions options = quick();
    options.limits.ping_interval = 1ms;
    options.limits.idle_timeout = 50ms;
    Router router;
    router.get("/", [&](Exchange& c) {
      websocket(c, options, [&](WebSocket& socket) {
        while (socket.recv()) {
        }
        ends.send(socket.close_code());
      });
    });
    SocketServer server(std::move(router));
    FrameClient client(server.address());
    Socket silent(client);
    EXPECT_EQ(silent.next(), "9 ");
    std::string said;
    while ((said = silent.next()) == "9 ") {
    }
    EXPECT_EQ(said, "8 1000");
    EXPECT_EQ(ends.recv(), 1006);
  });
}

}  // namespace
}  // namespace degu::http
