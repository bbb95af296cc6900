#include <degu/base/testing/code_of.h>
#include <degu/context/context.h>
#include <degu/http/event_stream.h>
#include <degu/http/middleware.h>
#include <degu/http/server.h>
#include <degu/http/test_call.h>
#include <degu/http/testing/frame_client.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::FrameClient;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr EventStreamOptions kStill{.heartbeat = 0s};

// What a stream of these events looks like behind its first comment.
std::string sent(UniqueFunction<void(EventStream&)> tell) {
  std::string text;
  run([&] {
    Router router;
    router.get("/", [&](Exchange& c) {
      EventStream events = event_stream(c, kStill);
      tell(events);
    });
    text = test::call(router, "GET", "/").body;
  });
  EXPECT_THAT(text, StartsWith(":\n\n"));
  return text.substr(3);
}

TEST(EventStream, WritesEvents) {
  EXPECT_EQ(sent([](EventStream& e) { e.send({.data = "hello"}); }), "data: hello\n\n");
  EXPECT_EQ(
      sent([](EventStream& e) { e.send({.data = "{}", .event = "price", .id = "7", .retry = 1500ms}); }),
      "event: price\nid: 7\nretry: 1500\ndata: {}\n\n");
  EXPECT_EQ(sent([](EventStream& e) { e.send({.data = "", .id = ""}); }), "id: \ndata: \n\n");
}

TEST(EventStream, SplitsDataAndCommentsIntoLines) {
  EXPECT_EQ(sent([](EventStream& e) { e.send({.data = "a\nb\r\nc\rd"}); }),
            "data: a\ndata: b\ndata: c\ndata: d\n\n");
  EXPECT_EQ(sent([](EventStream& e) { e.send({.data = "\n\r"}); }), "data: \ndata: \ndata: \n\n");
  EXPECT_EQ(sent([](EventStream& e) { e.send({.data = "x\n\nevent: forged"}); }),
            "data: x\ndata: \ndata: event: forged\n\n");
  EXPECT_EQ(sent([](EventStream& e) { e.comment("a\rdata: forged"); }), ": a\n: data: forged\n\n");
}

TEST(EventStream, RefusesLinesThatWouldForgeEvents) {
  EXPECT_EQ(sent([](EventStream& e) {
              using std::string_view_literals::operator""sv;
              for (const auto bad : {"a\n"sv, "\ra"sv, "a\0b"sv}) {
                EXPECT_EQ(code_of([&] { e.send({.data = "", .event = bad}); }), Code::kInvalidArgument);
                EXPECT_EQ(code_of([&] { e.send({.data = "", .id = bad}); }), Code::kInvalidArgument);
              }
              EXPECT_EQ(code_of([&] { e.send({.data = "", .retry = -1ms}); }), Code::kInvalidArgument);
              e.send({.data = "still there"});
            }),
            "data: still there\n\n");
}

TEST(EventStream, SaysWhatItIs) {
  run([] {
    Router router;
    router.get("/", [](Exchange& c) {
      c.set_header("X-Mine", "1");
      EventStream events = event_stream(c, kStill);
      events.send({.data = events.last_event_id()});
    });
    const Response answer = test::call(router, "GET", "/", {}, {{"Last-Event-ID", "41"}});
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("content-type"), "text/event-stream");
    EXPECT_EQ(answer.header("cache-control"), "no-cache");
    EXPECT_EQ(answer.header("x-accel-buffering"), "no");
    EXPECT_EQ(answer.header("x-mine"), "1");
    EXPECT_THAT(answer.body, EndsWith("data: 41\n\n"));
    EXPECT_THAT(test::call(router, "GET", "/").body, EndsWith("data: \n\n"));
  });
}

class EventServer {
 public:
  explicit EventServer(Router router)
      : listener_(net::TcpListener::listen("127.0.0.1:0")), server_(std::move(router), at_once()) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~EventServer() { stop(); }
  void stop() {
    server_.shutdown(30s);
    done_.wait();
  }
  std::string address() const { return listener_.address(); }

 private:
  static ServerOptions at_once() {
    ServerOptions options;
    options.idle_grace = 0ns;
    return options;
  }

  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
};

// What comes until `enough` has, or until the end.
std::string receive(net::TcpStream& stream, std::string_view enough = "\x01") {
  std::string text;
  std::array<char, 4096> part;
  while (text.find(enough) == std::string::npos) {
    const net::IoResult result = stream.read(part, now() + 20s);
    if (result.bytes == 0) return text + (result.error == ETIMEDOUT ? "(nothing more came)" : "");
    text.append(part.data(), result.bytes);
  }
  return text;
}

net::TcpStream ask(const EventServer& server, std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n") {
  net::TcpStream stream = net::TcpStream::connect(server.address());
  stream.write(std::string(request) + "\r\n", now() + 5s);
  return stream;
}

TEST(EventStream, SendsTheHeadAndEachEventAtOnce) {
  all_shapes([] {
    auto news = make_chan<std::string>();
    Router router;
    router.get("/", [&](Exchange& c) {
      EventStream events = event_stream(c);
      while (const auto text = news.recv()) events.send({.data = *text});
    });
    EventServer server(std::move(router));
    net::TcpStream client = ask(server);
    EXPECT_THAT(receive(client, ":\n\n\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n"));
    news.send("one");
    EXPECT_EQ(receive(client, "one\n\n\r\n"), "b\r\ndata: one\n\n\r\n");
    news.close();
    EXPECT_EQ(receive(client, "0\r\n\r\n"), "0\r\n\r\n");
  });
}

TEST(EventStream, BeatsWhileTheHandlerWaitsOrOthersSend) {
  all_shapes([] {
    auto never = make_chan<int>();
    Router router;
    router.get("/", [&](Exchange& c) {
      EventStream events = event_stream(c, {.heartbeat = 1ms});
      WaitGroup helpers;
      for (int i = 0; i < 3; ++i) {
        helpers.go([&] {
          for (int n = 0; n < 20; ++n) events.send({.data = "x"});
        });
      }
      helpers.wait();
      events.comment("sent");
      never.recv();
    });
    EventServer server(std::move(router));
    net::TcpStream client = ask(server);
    std::string text = receive(client, "sent\n\n\r\n");
    for (int beats = 0; beats < 3; ++beats)
      EXPECT_THAT(receive(client, ":\n\n\r\n"), HasSubstr("3\r\n:\n\n\r\n"));
    std::size_t events = 0;
    for (std::size_t at = 0; (at = text.find("9\r\ndata: x\n\n\r\n", at)) != std::string::npos; ++at)
      ++events;
    EXPECT_EQ(events, 60U);
  });
}

TEST(EventStream, ADrainEndsItInGoodOrder) {
  all_shapes([] {
    auto never = make_chan<int>();
    Router router;
    router.use(recovery());
    router.get("/", [&](Exchange& c) {
      EventStream events = event_stream(c);
      never.recv();
    });
    EventServer server(std::move(router));
    net::TcpStream client = ask(server);
    receive(client, ":\n\n\r\n");
    const TimePoint start = now();
    server.stop();
    EXPECT_LT(now() - start, 20s);
    EXPECT_EQ(receive(client), "0\r\n\r\n");
  });
}

TEST(EventStream, AHandlerMayUseTheDrain) {
  run([] {
    Router router;
    router.get("/", [&](Exchange& c) {
      EventStream events = event_stream(c, {.ends_at_drain = false});
      c.draining().wait();
      events.send({.data = "bye"});
    });
    EventServer server(std::move(router));
    net::TcpStream client = ask(server);
    receive(client, ":\n\n\r\n");
    server.stop();
    EXPECT_EQ(receive(client), "b\r\ndata: bye\n\n\r\n0\r\n\r\n");
  });
}

TEST(EventStream, AnErrorCutsTheConnection) {
  run([] {
    Router router;
    router.get("/", [&](Exchange& c) {
      EventStream events = event_stream(c);
      throw Error(Code::kInternal, "lost");
    });
    EventServer server(std::move(router));
    net::TcpStream client = ask(server);
    EXPECT_THAT(receive(client), EndsWith("3\r\n:\n\n\r\n"));
  });
}

TEST(EventStream, EndsWithItsClient) {
  run([] {
    auto never = make_chan<int>();
    auto ends = make_chan<Code>(1);
    Router router;
    router.get("/", [&](Exchange& c) {
      EventStream events = event_stream(c, {.heartbeat = 1ms});
      ends.send(code_of([&] { never.recv(); }));
    });
    EventServer server(std::move(router));
    {
      net::TcpStream client = ask(server);
      receive(client, ":\n\n\r\n");
    }
    EXPECT_EQ(ends.recv(), Code::kCancelled);
  });
}

TEST(EventStream, AnswersHeadWithTheHead) {
  run([] {
    auto never = make_chan<int>();
    Router router;
    router.get("/", [&](Exchange& c) {
      EventStream events = event_stream(c);
      never.recv();
    });
    EventServer server(std::move(router));
    net::TcpStream client = ask(server, "HEAD / HTTP/1.1\r\nHost: a\r\n");
    const std::string head = receive(client, "\r\n\r\n");
    EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(head, EndsWith("\r\n\r\n"));
    EXPECT_THAT(head, Not(HasSubstr("Connection: close")));
  });
}

TEST(EventStream, TimeoutsSpareLongLivedRoutes) {
  run([] {
    Router router;
    router.use(timeout(1h));
    const auto handler = [](Exchange& c) {
      EventStream events = event_stream(c, kStill);
      events.send({.data = current_context().deadline() ? "limited" : "free"});
    };
    router.get("/free", handler, {.long_lived = true});
    router.get("/limited", handler);
    const auto body = [&](std::string_view path) {
      return test::call(router, "GET", path, {}, {{"x-request-timeout-ms", "100000"}}).body;
    };
    EXPECT_THAT(body("/free"), EndsWith("data: free\n\n"));
    EXPECT_THAT(body("/limited"), EndsWith("data: limited\n\n"));
    EXPECT_EQ(code_of([&] { router.get("/both", handler, {.timeout = 1s, .long_lived = true}); }),
              Code::kInvalidArgument);
  });
}

TEST(EventStream, WorksOverHttp2) {
  all_shapes([] {
    auto never = make_chan<int>();
    Router router;
    router.get("/", [&](Exchange& c) {
      EventStream events = event_stream(c);
      events.send({.data = "two"});
      never.recv();
    });
    EventServer server(std::move(router));
    FrameClient client(server.address());
    const uint32_t id = client.ask(FrameClient::request("GET", "/"));
    while (client.answer(id).body.find("two\n\n") == std::string::npos && client.receive()) {
    }
    WaitGroup stopping;
    stopping.go([&] { server.stop(); });
    while (!client.answer(id).ended && !client.answer(id).reset && client.receive()) {
    }
    EXPECT_EQ(client.answer(id).field("content-type"), "text/event-stream");
    EXPECT_EQ(client.answer(id).body, ":\n\ndata: two\n\n");
    EXPECT_TRUE(client.answer(id).ended);
    client.stream().close();
    stopping.wait();
  });
}

}  // namespace
}  // namespace degu::http
