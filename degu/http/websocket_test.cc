#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/internal/websocket_frame.h>
#include <degu/http/middleware.h>
#include <degu/http/server.h>
#include <degu/http/test_call.h>
#include <degu/http/websocket_client.h>
#include <degu/net/tcp.h>
#include <degu/net/testing/test_authority.h>
#include <degu/net/tls.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::TestAuthority;
using internal::FrameParser;
using internal::Opcode;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Headers = std::vector<std::pair<std::string, std::string>>;

class SocketServer {
 public:
  explicit SocketServer(Router router, ServerOptions options = {})
      : listener_(net::TcpListener::listen("127.0.0.1:0")), server_(std::move(router), at_once(options)) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~SocketServer() { stop(); }
  void stop() {
    server_.shutdown(30s);
    done_.wait();
  }
  std::string address() const { return listener_.address(); }
  std::string url(std::string_view path = "/", std::string_view scheme = "ws") const {
    return std::string(scheme) + "://" + address() + std::string(path);
  }

 private:
  static ServerOptions at_once(ServerOptions options) {
    options.idle_grace = 0ns;
    return options;
  }

  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
};

Router echo_router(WebSocketOptions options = {}) {
  Router router;
  router.get("/",
             [options](Exchange& c) {
               websocket(c, options, [](WebSocket& socket) {
                 while (const auto message = socket.recv()) socket.send(*message);
               });
             },
             {.long_lived = true});
  return router;
}

WebSocketOptions quick() {
  WebSocketOptions options;
  options.limits.max_message_bytes = 1000;
  options.limits.max_fragments = 8;
  options.limits.ping_interval = 0s;
  return options;
}

constexpr std::string_view kHandshake =
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
    "WebSocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

// A client that sends what a test tells it to, right or wrong.
class RawClient {
 public:
  explicit RawClient(const SocketServer& server, std::string_view more = "")
      : stream_(net::TcpStream::connect(server.address())) {
    write(std::string(kHandshake) + std::string(more));
    std::size_t end = std::string::npos;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos && fill()) {
    }
    head_ = input_.substr(0, end);
    input_.erase(0, end == std::string::npos ? end : end + 4);
  }

  void write(std::string_view bytes) { stream_.write({bytes.data(), bytes.size()}, now() + 5s); }
  void send(Opcode opcode, std::string_view payload, bool fin = true, bool compressed = false) {
    write(frame(opcode, payload, fin, compressed));
  }
  static std::string frame(Opcode opcode, std::string_view payload, bool fin = true,
                           bool compressed = false) {
    std::string out;
    internal::append_frame(out, {.opcode = opcode, .fin = fin, .compressed = compressed}, payload,
                           std::array<uint8_t, 4>{1, 2, 3, 4});
    return out;
  }

  // "1 hello" for a text, "8 1000 why" for a Close, "end" at the end of the connection.
  std::string next() {
    std::string said;
    for (;;) {
      std::span<char> left(input_);
      const auto event = parser_.next(left);
      const std::string payload(event == FrameParser::Event::kPayload ? parser_.payload() : "");
      input_.erase(0, input_.size() - left.size());
      if (event == FrameParser::Event::kError) return "broken";
      if (event == FrameParser::Event::kPayload) said += payload;
      if (event == FrameParser::Event::kFrameEnd) break;
      if (event == FrameParser::Event::kNeedInput && !fill()) return "end";
    }
    const bool close = parser_.head().opcode == Opcode::kClose;
    if (close && said.size() >= 2) {
      const int code = static_cast<unsigned char>(said[0]) << 8 | static_cast<unsigned char>(said[1]);
      said = std::to_string(code) + (said.size() > 2 ? " " : "") + said.substr(2);
    }
    return fmt::format("{}{} {}", static_cast<int>(parser_.head().opcode),
                       parser_.head().compressed ? "z" : "", said);
  }

  const std::string& head() const { return head_; }
  net::TcpStream& stream() { return stream_; }

 private:
  bool fill() {
    std::array<char, 4096> part;
    const net::IoResult got = stream_.read(part, now() + 10s);
    input_.append(part.data(), got.bytes);
    return got.bytes != 0;
  }

  net::TcpStream stream_;
  std::string input_;
  std::string head_;
  FrameParser parser_{{.masked = false, .compression = true}};
};

std::string close_payload(int code, std::string_view reason = {}) {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)}.append(reason);
}

// --- The handshake

TEST(WebSocket, ShakesHands) {
  run([] {
    SocketServer server(echo_router());
    RawClient client(server, "\r\n");
    EXPECT_THAT(client.head(), StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
    EXPECT_THAT(client.head(), HasSubstr("\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
    EXPECT_THAT(client.head(), HasSubstr("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    EXPECT_THAT(client.head(), Not(HasSubstr("Sec-WebSocket-Extensions")));
    EXPECT_THAT(client.head(), Not(HasSubstr("Sec-WebSocket-Protocol")));
    EXPECT_THAT(client.head(), Not(HasSubstr("Content-")));
  });
}

TEST(WebSocket, RefusesWhatIsNoHandshake) {
  run([] {
    SocketServer server(echo_router());
    const std::string fine = std::string(kHandshake) + "\r\n";
    const auto without = [&](std::string text, std::string_view from, std::string_view to) {
      text.replace(text.find(from), from.size(), to);
      return text;
    };
    const std::vector<std::pair<std::string, int>> cases = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426},
        {without(fine, "keep-alive, Upgrade", "keep-alive"), 426},
        {without(fine, "WebSocket\r\n", "h3c\r\n"), 426},
        {without(fine, "HTTP/1.1", "HTTP/1.0"), 426},
        {without(fine, "Version: 13", "Version: 8"), 426},
        {without(fine, "Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13"), 426},
        {without(fine, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"), 400},
        {without(fine, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ"), 400},
        {without(fine,
                 "Sec-WebSocket-Key: ", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: "),
         400},
        {without(fine, "Host: a\r\n", "Host: a\r\nContent-Length: 1\r\n") + "x", 400},
        {without(fine, "GET", "HEAD"), 405},
        {without(fine, "Host: a\r\n", "Host: a\r\nOrigin: http://evil.example\r\n"), 403},
        {without(fine, "Host: a\r\n", "Host: a\r\nOrigin: null\r\n"), 403},
        {without(fine, "Host: a\r\n", "Host: a\r\nOrigin: http://a\r\nOrigin: http://a\r\n"), 403},
        {without(fine, "Host: a\r\n", "Host: a\r\nOrigin: http://a.evil.example\r\n"), 403},
        {without(fine, "Host: a\r\n", "Host: a\r\nOrigin: https://A\r\n"), 101},
    };
    for (const auto& [request, status] : cases) {
      net::TcpStream stream = net::TcpStream::connect(server.address());
      stream.write({request.data(), request.size()}, now() + 5s);
      std::array<char, 4096> part;
      const std::string answer(part.data(), stream.read(part, now() + 10s).bytes);
      EXPECT_THAT(answer, StartsWith(fmt::format("HTTP/1.1 {} ", status))) << request;
      if (status != 426) continue;
      EXPECT_THAT(answer, HasSubstr("\r\nUpgrade: websocket\r\n")) << request;
      EXPECT_THAT(answer, HasSubstr("\r\nSec-WebSocket-Version: 13\r\n")) << request;
    }
  });
}

TEST(WebSocket, NeedsAConnectionOfItsOwn) {
  const Response answer = test::call(echo_router(), "GET", "/", {},
                                     {{"Connection", "Upgrade"},
                                      {"Upgrade", "websocket"},
                                      {"Sec-WebSocket-Version", "13"},
                                      {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}});
  EXPECT_EQ(answer.status, 426);
  EXPECT_EQ(answer.header("upgrade"), "");
}

TEST(WebSocket, TrustsOriginsThatItIsToldOf) {
  run([] {
    WebSocketOptions options;
    options.origins = {"https://shop.example"};
    SocketServer server(echo_router(options));
    EXPECT_THAT(RawClient(server, "Origin: https://shop.example\r\n\r\n").head(), HasSubstr(" 101 "));
    EXPECT_THAT(RawClient(server, "Origin: http://shop.example\r\n\r\n").head(), HasSubstr(" 403 "));
    options.any_origin = true;
    SocketServer open(echo_router(options));
    EXPECT_THAT(RawClient(open, "Origin: null\r\n\r\n").head(), HasSubstr(" 101 "));
    options.origins = {"shop.example"};
    EXPECT_EQ(test::call(echo_router(options), "GET", "/").status, 400);
    options.origins.clear();
    options.subprotocols = {"two words"};
    EXPECT_EQ(test::call(echo_router(options), "GET", "/").status, 400);
  });
}

TEST(WebSocket, ChoosesASubprotocol) {
  run([] {
    WebSocketOptions options;
    options.subprotocols = {"v2", "v1"};
    SocketServer server(echo_router(options));
    const auto chosen = [&](std::vector<std::string> offered) {
      return std::string(connect_websocket(server.url(), {.subprotocols = std::move(offered)}).subprotocol());
    };
    EXPECT_EQ(chosen({"v1", "v2"}), "v2");
    EXPECT_EQ(chosen({"v1", "v0"}), "v1");
    EXPECT_EQ(chosen({"v0"}), "");
    EXPECT_EQ(chosen({}), "");
    EXPECT_EQ(code_of([&] { chosen({"a b"}); }), Code::kInvalidArgument);
  });
}

TEST(WebSocket, TheChainIsAroundIt) {
  run([] {
    auto statuses = make_chan<int>(1);
    Router router;
    router.use([&](Exchange& c) {
      c.set_header("X-Chain", "yes");
      c.next();
      statuses.send(c.status());
    });
    router.get("/hello/:name", [](Exchange& c) {
      websocket(c, {}, [&](WebSocket& socket) { socket.send_text(c.param("name")); });
    });
    SocketServer server(std::move(router));
    WebSocket socket = connect_websocket(server.url("/hello/ada"));
    EXPECT_EQ(socket.recv()->data, "ada");
    EXPECT_FALSE(socket.recv());
    EXPECT_EQ(socket.close_code(), 1000);
    EXPECT_EQ(statuses.recv(), 101);
  });
}

// --- Messages

TEST(WebSocket, EchoesBothWays) {
  all_shapes([] {
    SocketServer server(echo_router());
    WebSocket socket = connect_websocket(server.url());
    for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U, 1'000'000U}) {
      const Message sent{size % 2 == 0, std::string(size, 'x')};
      socket.send(sent);
      const auto back = socket.recv();
      ASSERT_TRUE(back);
      EXPECT_EQ(back->text, sent.text);
      EXPECT_EQ(back->data, sent.data);
    }
    socket.ping("still there?");
    socket.close(4000, "done");
    socket.close(1000);
    EXPECT_EQ(code_of([&] { socket.send_text("late"); }), Code::kUnavailable);
    EXPECT_FALSE(socket.recv());
    EXPECT_EQ(socket.close_code(), 4000);
  });
}

TEST(WebSocket, ManyMayWrite) {
  all_shapes([] {
    Router router;
    router.get("/", [](Exchange& c) {
      websocket(c, {}, [](WebSocket& socket) {
        WaitGroup writers;
        for (char name = 'a'; name < 'e'; ++name) {
          writers.go([&socket, name] {
            for (int i = 0; i < 20; ++i) socket.send_text(std::string(500, name));
          });
        }
        writers.wait();
      });
    });
    SocketServer server(std::move(router));
    WebSocket socket = connect_websocket(server.url());
    int messages = 0;
    while (const auto message = socket.recv()) {
      EXPECT_EQ(message->data, std::string(500, message->data.front()));
      ++messages;
    }
    EXPECT_EQ(messages, 80);
    EXPECT_EQ(socket.close_code(), 1000);
  });
}

// What a client sends, and what it hears until a Close or as many frames as expected.
struct Talk {
  const char* what;
  std::string sent;
  std::vector<std::string> heard;
};

void check(const SocketServer& server, const Talk& talk, std::size_t step, std::string_view more = "\r\n") {
  RawClient client(server, more);
  for (std::size_t at = 0; at < talk.sent.size(); at += step) client.write(talk.sent.substr(at, step));
  for (const std::string& expected : talk.heard)
    EXPECT_EQ(client.next(), expected) << talk.what << ", step " << step;
}

TEST(WebSocket, TalksAsTheRfcSays) {
  run([] {
    SocketServer server(echo_router(quick()));
    const auto f = RawClient::frame;
    const auto text = [&](std::string_view payload, bool fin = true) {
      return f(Opcode::kText, payload, fin, false);
    };
    const auto more = [&](std::string_view payload, bool fin = true) {
      return f(Opcode::kContinuation, payload, fin, false);
    };
    const auto close = [&](std::string_view payload) { return f(Opcode::kClose, payload, true, false); };
    const std::string bye = close(close_payload(1000));
    std::string pieces = text("", false);
    for (int i = 0; i < 8; ++i) pieces += more("x", false);
    const std::vector<Talk> talks = {
        {"a text", text("h\xc3\xa4") + bye, {"1 h\xc3\xa4", "8 1000", "end"}},
        {"bytes", f(Opcode::kBinary, "\xff\xfe", true, false) + bye, {"2 \xff\xfe", "8 1000", "end"}},
        {"an empty text", text("") + bye, {"1 ", "8 1000"}},
        {"fragments", text("a", false) + more("b", false) + more("") + bye, {"1 ab"}},
        {"a ping between fragments",
         text("a", false) + f(Opcode::kPing, "p", true, false) + more("b"),
         {"10 p", "1 ab"}},
        {"an unasked pong", f(Opcode::kPong, "p", true, false) + text("a"), {"1 a"}},
        {"a sequence cut by fragments", text("\xe2\x82", false) + more("\xac"), {"1 \xe2\x82\xac"}},
        {"broken UTF-8", text("a\xff"), {"8 1007 a text is not UTF-8", "end"}},
        {"broken UTF-8 in a later fragment",
         text("\xe2\x82", false) + more("\x28", false),
         {"8 1007 a text is not UTF-8"}},
        {"an incomplete sequence", text("\xe2\x82"), {"8 1007 a text is not UTF-8"}},
        {"a surrogate", text("\xed\xa0\x80"), {"8 1007 a text is not UTF-8"}},
        {"no mask", "\x81\x01z", {"8 1002 a frame is not masked", "end"}},
        {"RSV1", f(Opcode::kText, "a", true, true), {"8 1002 a reserved bit is set"}},
        {"continues nothing", more("a"), {"8 1002 a continuation of nothing"}},
        {"a frame beyond the limit", text(std::string(1001, 'x')), {"8 1009 a frame is too long", "end"}},
        {"a message beyond the limit",
         text(std::string(600, 'x'), false) + more(std::string(401, 'x')),
         {"8 1009 a message is too long"}},
        {"a message at the limit",
         text(std::string(600, 'x'), false) + more(std::string(400, 'x')),
         {"1 " + std::string(1000, 'x')}},
        {"too many fragments", pieces, {"8 1008 too many fragments"}},
        {"a Close without a code", close("") + text("late"), {"8 ", "end"}},
        {"a Close with a reason", close(close_payload(3000, "why")), {"8 3000", "end"}},
        {"a Close of one byte", close("x"), {"8 1002 no such close code", "end"}},
        {"a Close with 1005", close(close_payload(1005)), {"8 1002 no such close code"}},
        {"a Close with 999", close(close_payload(999)), {"8 1002 no such close code"}},
        {"a Close with a broken reason",
         close(close_payload(1000, "\xff")),
         {"8 1007 a reason is not UTF-8"}},
    };
    for (const Talk& talk : talks) {
      check(server, talk, talk.sent.size());
      check(server, talk, 1);
    }
  });
}

TEST(WebSocket, AFloodOfPingsEndsIt) {
  run([] {
    SocketServer server(echo_router(quick()));
    RawClient client(server, "\r\n");
    std::string flood;
    for (int i = 0; i < 3000; ++i) flood += RawClient::frame(Opcode::kPing, "");
    client.write(flood);
    std::string said;
    while ((said = client.next()) == "10 ") {
    }
    EXPECT_EQ(said, "8 1008 too many pings");
  });
}

// --- Compression

WebSocketLimits compressed(bool takeover = true, std::size_t max_message_bytes = 1024 * 1024) {
  WebSocketLimits limits;
  limits.max_message_bytes = max_message_bytes;
  limits.compression = {.enabled = true, .context_takeover = takeover, .min_bytes = 0};
  return limits;
}

TEST(WebSocket, CompressesWhenBothWant) {
  run([] {
    for (const bool takeover : {true, false}) {
      WebSocketOptions options;
      options.limits = compressed(takeover);
      SocketServer server(echo_router(options));
      for (const bool client_wants : {true, false}) {
        WebSocketClientOptions ours;
        if (client_wants) ours.limits = compressed();
        WebSocket socket = connect_websocket(server.url(), ours);
        for (const std::size_t size : {0U, 5U, 5U, 60'000U}) {
          socket.send_text(std::string(size, 'x'));
          const auto back = socket.recv();
          ASSERT_TRUE(back);
          EXPECT_EQ(back->data, std::string(size, 'x'));
        }
      }
    }
  });
}

TEST(WebSocket, ReadsCompressedMessagesInAnyPieces) {
  run([] {
    WebSocketOptions options = quick();
    options.limits.compression = {.enabled = true, .min_bytes = 1000};
    SocketServer server(echo_router(options));
    const auto f = RawClient::frame;
    // RFC 7692 section 7.2.3.1.
    const std::string hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    const std::vector<Talk> talks = {
        {"one frame", f(Opcode::kText, hello, true, true), {"1 Hello"}},
        {"fragments",
         f(Opcode::kText, hello.substr(0, 3), false, true) + f(Opcode::kPing, "", true, false) +
             f(Opcode::kContinuation, hello.substr(3), true, false),
         {"10 ", "1 Hello"}},
        {"mixed with plain ones",
         f(Opcode::kText, hello, true, true) + f(Opcode::kText, "plain", true, false),
         {"1 Hello", "1 plain"}},
        {"garbage",
         f(Opcode::kText, "\xff\xff\xff", true, true),
         {"8 1007 a message does not decompress", "end"}},
        {"a text that is no UTF-8 once it is inflated",
         f(Opcode::kText, std::string_view("\x00\x01\x00\xfe\xff\xff\x00", 7), true, true),
         {"8 1007 a text is not UTF-8"}},
        {"RSV1 on a continuation",
         f(Opcode::kText, hello, false, true) + f(Opcode::kContinuation, "", true, true),
         {"8 1002 a continuation says that it is compressed"}},
    };
    for (const Talk& talk : talks) {
      check(server, talk, talk.sent.size(), "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
      check(server, talk, 1, "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    }
  });
}

TEST(WebSocket, ABombIsTooLong) {
  run([] {
    WebSocketOptions options;
    options.limits = compressed(true, 10'000);
    SocketServer server(echo_router(options));
    WebSocket socket = connect_websocket(server.url(), {.limits = compressed()});
    socket.send_text(std::string(1'000'000, 'x'));
    EXPECT_FALSE(socket.recv());
    EXPECT_EQ(socket.close_code(), 1009);
  });
}

// --- How it ends

TEST(WebSocket, ADrainSaysGoodbye) {
  all_shapes([] {
    SocketServer server(echo_router());
    WebSocket socket = connect_websocket(server.url());
    socket.send_text("a");
    EXPECT_EQ(socket.recv()->data, "a");
    WaitGroup stopping;
    stopping.go([&] { server.stop(); });
    EXPECT_FALSE(socket.recv());
    EXPECT_EQ(socket.close_code(), 1001);
    EXPECT_EQ(socket.close_reason(), "the server is shutting down");
    stopping.wait();
  });
}

TEST(WebSocket, AClientThatDoesNotAnswerHoldsNoDrain) {
  run([] {
    WebSocketOptions options;
    options.limits.close_timeout = 10ms;
    SocketServer server(echo_router(options));
    RawClient client(server, "\r\n");
    const TimePoint start = now();
    server.stop();
    EXPECT_LT(now() - start, 20s);
    EXPECT_EQ(client.next(), "8 1001 the server is shutting down");
    EXPECT_EQ(client.next(), "end");
  });
}

TEST(WebSocket, ClosesWhenTheHandlerIsDone) {
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
    for (const auto& [path, code] : {std::pair{"/returns", 1000}, {"/throws", 1011}, {"/ends", 1001}}) {
      WebSocket socket = connect_websocket(server.url(path));
      EXPECT_FALSE(socket.recv());
      EXPECT_EQ(socket.close_code(), code) << path;
      EXPECT_EQ(socket.close_reason(), "") << path;
    }
  });
}

TEST(WebSocket, LearnsThatTheOtherEndIsGone) {
  run([] {
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
    RawClient(server, "\r\n").send(Opcode::kText, "a", false);
    EXPECT_EQ(ends.recv(), 1006);
    static_cast<void>(connect_websocket(server.url()));
    EXPECT_EQ(ends.recv(), 1001);
  });
}

TEST(WebSocket, PingsAndGivesUpWhoDoesNotAnswer) {
  run([] {
    auto ends = make_chan<int>(1);
    WebSocketOptions options;
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
    RawClient silent(server, "\r\n");
    EXPECT_EQ(silent.next(), "9 ");
    EXPECT_EQ(silent.next(), "9 ");
    EXPECT_EQ(ends.recv(), 1006);
    std::string said;
    while ((said = silent.next()) == "9 ") {
    }
    EXPECT_EQ(said, "8 1000");
  });
}

TEST(WebSocket, GivesUpWhoDoesNotRead) {
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
        EXPECT_EQ(code_of([&] { socket.ping(); }), Code::kUnavailable);
        EXPECT_FALSE(socket.recv());
        EXPECT_EQ(socket.close_code(), 1006);
      });
    });
    SocketServer server(std::move(router));
    RawClient silent(server, "\r\n");
    EXPECT_EQ(ends.recv(), Code::kUnavailable);
  });
}

TEST(WebSocket, RefusesToSendWhatIsWrong) {
  run([] {
    SocketServer server(echo_router());
    WebSocket socket = connect_websocket(server.url());
    EXPECT_EQ(code_of([&] { socket.send_text("\xff"); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([&] { socket.ping(std::string(126, 'x')); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([&] { socket.close(1006); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([&] { socket.close(1000, std::string(124, 'x')); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([&] { socket.close(1000, "\xff"); }), Code::kInvalidArgument);
    socket.send_text("fine");
    EXPECT_EQ(socket.recv()->data, "fine");
  });
}

// --- The client

TEST(WebSocketClient, GoesOverTls) {
  run([] {
    TestAuthority authority;
    net::TlsServerOptions tls;
    tls.certificates = {authority.issue("site", "site", "IP:127.0.0.1")};
    ServerOptions options;
    options.tls = std::make_shared<net::TlsServer>(tls);
    SocketServer server(echo_router(), options);
    WebSocketClientOptions trusting;
    trusting.tls.ca_file = authority.ca_file();
    WebSocket socket = connect_websocket(server.url("/", "wss"), trusting);
    socket.send_text(std::string(100'000, 's'));
    EXPECT_EQ(socket.recv()->data, std::string(100'000, 's'));
    socket.close();
    EXPECT_FALSE(socket.recv());
    EXPECT_EQ(socket.close_code(), 1000);
    EXPECT_EQ(code_of([&] { connect_websocket(server.url("/", "wss")); }), Code::kUnavailable);
  });
}

// A server that says the same to everybody.
Code code_of_answer(std::string answer, WebSocketClientOptions options = {}) {
  net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
  WaitGroup serving;
  serving.go([&] {
    net::TcpStream stream = listener.accept();
    std::string request;
    std::array<char, 4096> part;
    while (request.find("\r\n\r\n") == std::string::npos)
      request.append(part.data(), stream.read(part).bytes);
    stream.write({answer.data(), answer.size()});
  });
  const Code code = code_of([&] { connect_websocket("ws://" + listener.address(), options); });
  serving.wait();
  return code;
}

TEST(WebSocketClient, RefusesAnswersThatBreakTheRules) {
  run([] {
    const std::string start =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    EXPECT_EQ(code_of_answer(start + "\r\n"), Code::kInternal);
    EXPECT_EQ(code_of_answer(start + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
              Code::kInternal);
    EXPECT_EQ(code_of_answer("HTTP/1.1 101 Switching Protocols\r\n\r\n"), Code::kInternal);
    EXPECT_EQ(code_of_answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
              Code::kFailedPrecondition);
    EXPECT_EQ(code_of_answer("HTTP/1.1 503 Service Unavailable\r\n\r\n"), Code::kUnavailable);
    EXPECT_EQ(code_of_answer("SSH-2.0\r\n\r\n"), Code::kInternal);
    EXPECT_EQ(code_of_answer("HTTP/1.1 10"), Code::kUnavailable);
    EXPECT_EQ(code_of_answer(start + "X: " + std::string(2000, 'x'), {.max_header_bytes = 1000}),
              Code::kResourceExhausted);
  });
}

TEST(WebSocketClient, RefusesWhatItCannotAsk) {
  run([] {
    const auto asked = [](std::string_view url, Headers headers = {}) {
      return code_of([&] { connect_websocket(url, {.headers = std::move(headers)}); });
    };
    for (const std::string_view url : {"http://a/", "ws:///", "ws://u@a/", "ws://a/ b", "a"})
      EXPECT_EQ(asked(url), Code::kInvalidArgument) << url;
    for (const std::string name : {"Host", "connection", "Sec-WebSocket-Key", "a b", "Upgrade"})
      EXPECT_EQ(asked("ws://127.0.0.1:1/", {{name, "x"}}), Code::kInvalidArgument) << name;
    EXPECT_EQ(asked("ws://127.0.0.1:1/", {{"X", "a\r\nb"}}), Code::kInvalidArgument);
    EXPECT_EQ(asked("ws://127.0.0.1:1/"), Code::kUnavailable);
  });
}

}  // namespace
}  // namespace degu::http
