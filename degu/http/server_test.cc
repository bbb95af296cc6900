#include <degu/base/random.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/client.h>
#include <degu/http/cookie.h>
#include <degu/http/internal/bad_requests_for_test.h>
#include <degu/http/middleware.h>
#include <degu/http/server.h>
#include <degu/net/tcp.h>
#include <degu/obs/log.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <string>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// A server on a free port, stopped at once and waited for at the end of the scope.
class TestServer {
 public:
  explicit TestServer(Router router, ServerOptions options = {})
      : listener_(net::TcpListener::listen("127.0.0.1:0")), server_(std::move(router), at_once(options)) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~TestServer() { stop(5s); }
  void stop(std::chrono::nanoseconds drain) {
    server_.shutdown(drain);
    done_.wait();
  }
  std::string address() const { return listener_.address(); }
  std::string url(std::string_view path) const { return "http://" + address() + std::string(path); }
  Server& server() { return server_; }

 private:
  static ServerOptions at_once(ServerOptions options) {
    options.idle_grace = 0ns;
    return options;
  }

  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
};

void send(net::TcpStream& stream, std::string_view text) {
  stream.write({text.data(), text.size()}, now() + 5s);
}

// What the server says until it closes, or until `enough` has come.
std::string receive(net::TcpStream& stream, std::string_view enough = "\x01") {
  std::string text;
  std::array<char, 4096> part;
  while (text.find(enough) == std::string::npos) {
    const net::IoResult result = stream.read(part, now() + 10s);
    if (result.bytes == 0) {
      if (result.error == ETIMEDOUT) text += "(nothing more came)";
      break;
    }
    text.append(part.data(), result.bytes);
  }
  return text;
}

std::string talk(const TestServer& server, std::string_view text) {
  net::TcpStream stream = net::TcpStream::connect(server.address());
  send(stream, text);
  return receive(stream);
}

Router basic_router() {
  Router router;
  router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
  router.post("/echo", [](Exchange& c) { c.raw(200, "text/plain", std::string(c.body())); });
  router.post("/echo/:name",
              [](Exchange& c) { c.text(200, std::string(c.param("name")) + ":" + std::string(c.body())); });
  router.post("/small", [](Exchange& c) { c.text(200, c.body()); }, {.max_body_bytes = 4});
  router.get("/large", [](Exchange& c) { c.raw(200, "text/plain", std::string(3'000'000, 'x')); });
  router.get("/stream", [](Exchange& c) {
    ResponseStream& stream = c.stream(200, "text/plain");
    stream.write("one,");
    stream.write("two");
  });
  router.get("/broken", [](Exchange& c) {
    c.stream(200, "text/plain").write("half");
    throw Error(Code::kUnavailable, "lost");
  });
  router.get("/sized", [](Exchange& c) {
    ResponseStream& stream = c.stream(200, "text/plain", 7);
    stream.write("one,");
    stream.write("two");
  });
  router.get("/short", [](Exchange& c) { c.stream(200, "text/plain", 7).write("one"); });
  router.get("/long", [](Exchange& c) { c.stream(200, "text/plain", 2).write("one"); });
  router.get("/changed", [](Exchange& c) {
    c.stream(200, "text/plain", 7);
    throw Error(Code::kNotFound, "changed its mind");
  });
  router.get("/silent", [](Exchange&) {});
  return router;
}

TEST(Server, AnswersAndKeepsTheConnection) {
  run([] {
    TestServer server(basic_router());
    net::TcpStream stream = net::TcpStream::connect(server.address());
    for (int i = 0; i < 3; ++i) {
      send(stream, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
      const std::string answer = receive(stream, "pong");
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
      EXPECT_THAT(answer,
                  HasSubstr("Content-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\npong"));
      EXPECT_THAT(answer, testing::Not(HasSubstr("Connection:")));
    }
    EXPECT_EQ(server.server().connections(), 1U);
    EXPECT_EQ(server.server().requests(), 3U);
  });
}

TEST(Server, AFormIsForgottenBeforeTheNextRequest) {
  run([] {
    Router router;
    router.post("/form", [](Exchange& c) {
      std::string text = "a=" + std::string(c.form("a"));
      for (const UploadedPart& file : c.form_files()) text += "," + std::string(file.content);
      set_cookie(c, {.name = "seen", .value = std::string(c.cookie("seen")) + "x"});
      c.text(200, text + "!");
    });
    TestServer server(std::move(router));
    net::TcpStream stream = net::TcpStream::connect(server.address());
    const auto ask = [&](std::string_view fields, std::string_view body) {
      send(stream, "POST /form HTTP/1.1\r\nHost: a\r\n" + std::string(fields) +
                       "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
      return receive(stream, "!");
    };
    const std::string first =
        ask("Content-Type: multipart/form-data; boundary=b\r\nCookie: seen=1\r\n",
            "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
            "--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\nfile\r\n--b--\r\n");
    EXPECT_THAT(first, EndsWith("a=1,file!"));
    EXPECT_THAT(first, HasSubstr("\r\nSet-Cookie: seen=1x; Path=/; Secure; HttpOnly; SameSite=Lax\r\n"));
    EXPECT_THAT(ask("", ""), EndsWith("\r\n\r\na=!"));
    EXPECT_THAT(ask("Content-Type: application/x-www-form-urlencoded\r\n", "a=2"), EndsWith("\r\n\r\na=2!"));
    EXPECT_EQ(server.server().connections(), 1U);
  });
}

TEST(Server, StreamsByLengthWhenItIsKnown) {
  run([] {
    TestServer server(basic_router());
    const std::string sized = talk(server,
                                   "GET /sized HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "HEAD /sized HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(sized, HasSubstr("Content-Length: 7\r\n\r\none,twoHTTP/1.1 200 OK"));
    EXPECT_THAT(sized, HasSubstr("Content-Length: 7\r\n\r\nHTTP/1.1 200 OK"));
    EXPECT_THAT(sized, testing::Not(HasSubstr("chunked")));
    EXPECT_THAT(sized, EndsWith("pong"));
    EXPECT_THAT(talk(server,
                     "GET /sized HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                     "GET /ping HTTP/1.0\r\n\r\n"),
                testing::ContainsRegex("Connection: keep-alive\r\n\r\none,twoHTTP(.|\n)*pong"));
    EXPECT_THAT(talk(server, "GET /changed HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                testing::ContainsRegex("^HTTP/1.1 404 (.|\n)*changed its mind"));
  });
}

// Counts what is logged, instead of printing it.
class LogCounter : public LogSink {
 public:
  LogCounter() { set_log_sink(this); }
  ~LogCounter() override { set_log_sink(nullptr); }
  void write(Level, std::string_view, std::span<const LogField>) noexcept override { ++records; }
  std::atomic<int> records{0};
};

// A body that is not what was announced must not be taken for whole.
TEST(Server, CutsStreamsOfAnotherLengthThanAnnounced) {
  LogCounter log;
  run([] {
    TestServer server(basic_router());
    Client client;
    for (const char* path : {"/short", "/long"}) {
      EXPECT_THROW(client.get(server.url(path)), Error) << path;
    }
  });
  EXPECT_EQ(log.records, 2);
}

// Whoever served a connection last has to be out of the server when that has ended; sanitizers see it if not.
TEST(Server, EndsWithNobodyInside) {
  run([] {
    for (int i = 0; i < 100; ++i) {
      auto server = std::make_unique<TestServer>(basic_router());
      std::vector<net::TcpStream> clients;
      for (int k = 0; k < 4; ++k) clients.push_back(net::TcpStream::connect(server->address()));
      for (net::TcpStream& client : clients) send(client, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
      for (net::TcpStream& client : clients) EXPECT_THAT(receive(client, "pong"), EndsWith("pong"));
      server.reset();
    }
  });
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  run([] {
    TestServer server(basic_router());
    const std::string answer =
        talk(server,
             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n1st"
             "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n2nd\r\n0\r\n\r\n"
             "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, testing::ContainsRegex("1st(.|\n)*2nd(.|\n)*Connection: close(.|\n)*pong"));
    EXPECT_THAT(answer, EndsWith("pong"));
  });
}

// Byte by byte, with a parameter that points into a buffer that moves when the body comes.
TEST(Server, DoesNotMindHowInputIsCut) {
  run([] {
    TestServer server(basic_router());
    const std::string body(6000, 'b');
    net::TcpStream stream = net::TcpStream::connect(server.address());
    const std::string head =
        "POST /echo/nick HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 6000\r\n\r\n";
    for (const char c : head) {
      send(stream, std::string_view(&c, 1));
      yield();
    }
    send(stream, std::string_view(body).substr(0, 1));
    send(stream, std::string_view(body).substr(1));
    EXPECT_THAT(receive(stream), EndsWith("\r\n\r\nnick:" + body));
  });
}

TEST(Server, ServesHttp10) {
  run([] {
    TestServer server(basic_router());
    EXPECT_THAT(talk(server, "GET /ping HTTP/1.0\r\n\r\n"), HasSubstr("Connection: close\r\n\r\npong"));
    for (const char* fields : {"", "Connection: keep-alive\r\n"}) {
      EXPECT_THAT(talk(server, std::string("GET /stream HTTP/1.0\r\n") + fields + "\r\n"),
                  EndsWith("Connection: close\r\n\r\none,two"));
    }
    net::TcpStream stream = net::TcpStream::connect(server.address());
    send(stream, "GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_THAT(receive(stream, "pong"), HasSubstr("Connection: keep-alive"));
  });
}

TEST(Server, HeadHasTheHeadOnly) {
  run([] {
    TestServer server(basic_router());
    EXPECT_THAT(talk(server, "HEAD /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                EndsWith("Content-Length: 4\r\nConnection: close\r\n\r\n"));
    EXPECT_THAT(talk(server, "HEAD /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                EndsWith("\r\n\r\n"));
  });
}

TEST(Server, StreamsInChunks) {
  run([] {
    TestServer server(basic_router());
    EXPECT_THAT(talk(server, "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                EndsWith("\r\n\r\n4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n"));
    // The missing last chunk tells the client that this is not all.
    EXPECT_THAT(talk(server, "GET /broken HTTP/1.1\r\nHost: a\r\n\r\n"), EndsWith("4\r\nhalf\r\n"));
  });
}

TEST(Server, Answers204WhenAHandlerSaysNothing) {
  run([] {
    TestServer server(basic_router());
    const std::string answer = talk(server, "GET /silent HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 204 No Content\r\n"));
    EXPECT_THAT(answer, testing::Not(HasSubstr("Content-Length")));
  });
}

TEST(Server, LimitsBodies) {
  run([] {
    ServerOptions options;
    options.max_body_bytes = 100;
    TestServer server(basic_router(), options);
    const auto post = [](std::string_view path, std::string_view framing, std::string_view body) {
      return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" +
             std::string(framing) + "\r\n\r\n" + std::string(body);
    };
    EXPECT_THAT(talk(server, post("/echo", "Content-Length: 100", std::string(100, 'x'))),
                StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(talk(server, post("/echo", "Content-Length: 101", std::string(101, 'x'))),
                StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(talk(server, post("/echo", "Content-Length: 99999999999999999999", "")),
                StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(talk(server, post("/small", "Content-Length: 5", "12345")), StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(talk(server, post("/small", "Transfer-Encoding: chunked", "5\r\n12345\r\n0\r\n\r\n")),
                StartsWith("HTTP/1.1 413"));
    EXPECT_THAT(talk(server, post("/small", "Content-Length: 4", "1234")), EndsWith("1234"));
  });
}

TEST(Server, SaysContinueOnlyWhenItWantsTheBody) {
  run([] {
    TestServer server(basic_router());
    net::TcpStream stream = net::TcpStream::connect(server.address());
    send(stream,
         "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: "
         "2\r\n\r\n");
    EXPECT_EQ(receive(stream, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    send(stream, "ok");
    EXPECT_THAT(receive(stream), EndsWith("ok"));
    for (const auto& [path, length, status] :
         std::initializer_list<std::tuple<const char*, const char*, const char*>>{
             {"/small", "5", "413"}, {"/nothing", "5", "404"}, {"/ping", "5", "405"}}) {
      const std::string answer =
          talk(server, std::string("POST ") + path +
                           " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " + length +
                           "\r\n\r\n");
      EXPECT_THAT(answer, StartsWith(std::string("HTTP/1.1 ") + status)) << path;
    }
  });
}

TEST(Server, RefusesBadRequestsAndCloses) {
  run([] {
    ServerOptions options;
    options.header_timeout = 300ms;
    TestServer server(basic_router(), options);
    for (const auto& bad : internal::bad_heads()) {
      const std::string answer = talk(server, bad.text);
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(bad.status) + " ")) << bad.name;
      EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << bad.name;
      EXPECT_THAT(answer, HasSubstr("application/problem+json")) << bad.name;
    }
    const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const auto& bad : internal::bad_chunks()) {
      EXPECT_THAT(talk(server, head + bad.text), StartsWith("HTTP/1.1 " + std::to_string(bad.status) + " "))
          << bad.name;
    }
    EXPECT_THAT(talk(server, "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), EndsWith("pong"));
  });
}

TEST(Server, GivesSlowClients408) {
  run([] {
    ServerOptions options;
    options.header_timeout = 50ms;
    options.io_timeout = 50ms;
    TestServer server(basic_router(), options);
    EXPECT_THAT(talk(server, "GET /ping HT"), StartsWith("HTTP/1.1 408"));
    EXPECT_THAT(talk(server, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"),
                StartsWith("HTTP/1.1 408"));
    EXPECT_THAT(talk(server, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"),
                StartsWith("HTTP/1.1 408"));
  });
}

TEST(Server, ClosesIdleConnections) {
  run([] {
    ServerOptions options;
    options.idle_timeout = 100ms;
    TestServer server(basic_router(), options);
    EXPECT_EQ(talk(server, ""), "");
    const std::string answer = talk(server, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(answer, EndsWith("pong"));
  });
}

// Connections that have said nothing yet, and some that have got an answer.
TEST(Server, IdleConnectionsHoldNoGoroutine) {
  run([] {
    TestServer server(basic_router());
    talk(server, "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::size_t before = num_goroutines();
    std::vector<net::TcpStream> clients;
    for (int i = 0; i < 40; ++i) {
      clients.push_back(net::TcpStream::connect(server.address()));
      if (i % 2 == 0) continue;
      send(clients.back(), "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_THAT(receive(clients.back(), "pong"), EndsWith("pong"));
    }
    while (server.server().connections() != clients.size() || num_goroutines() > before) sleep(1ms);
    // They are all alive.
    for (net::TcpStream& client : clients) {
      send(client, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_THAT(receive(client, "pong"), EndsWith("pong"));
    }
    server.stop(5s);
    for (net::TcpStream& client : clients) EXPECT_EQ(receive(client), "");
    EXPECT_EQ(server.server().connections(), 0U);
  });
}

// A request that arrives while its connection is closed for being idle is answered whole or not at all.
TEST(Server, ClosingIdleConnectionsMeetsRequests) {
  run({.procs = 2}, [] {
    ServerOptions options;
    options.idle_timeout = 10ms;
    TestServer server(basic_router(), options);
    WaitGroup clients;
    std::atomic<int> answered{0};
    for (int i = 0; i < 8; ++i) {
      clients.go([&, i] {
        Random random(static_cast<uint64_t>(i));
        for (int round = 0; round < 10; ++round) {
          net::TcpStream stream = net::TcpStream::connect(server.address());
          for (bool open = true; open;) {
            send(stream, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
            const std::string answer = receive(stream, "pong");
            open = !answer.empty();
            if (!open) break;
            EXPECT_THAT(answer, EndsWith("pong"));
            ++answered;
            sleep(std::chrono::microseconds(9'000 + random.below(4'000)));
          }
        }
      });
    }
    clients.wait();
    EXPECT_GT(answered, 0);
  });
}

TEST(Server, CapsConnections) {
  run([] {
    ServerOptions options;
    options.max_connections = 1;
    TestServer server(basic_router(), options);
    net::TcpStream first = net::TcpStream::connect(server.address());
    send(first, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
    receive(first, "pong");
    EXPECT_THAT(talk(server, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 503"));
  });
}

TEST(Server, CutsClientsThatDoNotRead) {
  run([] {
    ServerOptions options;
    options.io_timeout = 50ms;
    options.min_bytes_per_second = 100'000'000;
    TestServer server(basic_router(), options);
    net::TcpStream stream = net::TcpStream::connect(server.address());
    std::string requests;
    for (int i = 0; i < 10; ++i) requests += "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    send(stream, requests);
    while (server.server().connections() != 0 || server.server().requests() == 0) sleep(1ms);
    EXPECT_LT(receive(stream).size(), 30'000'000U);
  });
}

// --- Contexts and shutdown
// -------------------------------------------------------------------------------------------

TEST(Server, GivesRequestsAContextWithTheirDeadline) {
  run([] {
    Router router;
    router.get("/wait", [](Exchange&) { sleep(10s); });
    router.get("/limited", [](Exchange&) { sleep(10s); }, {.timeout = 20ms});
    router.get("/deadline", [](Exchange& c) { c.text(200, current_context().deadline() ? "yes" : "no"); });
    TestServer server(std::move(router));
    Client client;
    const auto ask = [&](std::string_view path, std::string_view timeout) {
      return client.request({"GET", server.url(path), {{"x-request-timeout-ms", std::string(timeout)}}, {}});
    };
    EXPECT_EQ(ask("/wait", "20").status, 504);
    EXPECT_EQ(ask("/wait", "0").status, 504);
    EXPECT_EQ(ask("/wait", "soon").status, 400);
    EXPECT_EQ(ask("/limited", "5000").status, 504);
    EXPECT_EQ(ask("/deadline", "5000").body, "yes");
    EXPECT_EQ(client.get(server.url("/deadline")).body, "no");
  });
}

TEST(Server, EndsTheContextWhenTheClientLeaves) {
  run([] {
    auto ended = make_chan<std::string>(1);
    auto begun = make_chan<bool>(1);
    Router router;
    router.get("/wait", [=](Exchange&) {
      begun.send(true);
      try {
        sleep(10s);
        ended.send("slept");
      } catch (const Cancelled&) {
        const Shield shield;
        ended.send("cancelled");
        throw;
      }
    });
    ServerOptions options;
    options.idle_timeout = 40ms;
    TestServer server(std::move(router), options);
    net::TcpStream stream = net::TcpStream::connect(server.address());
    send(stream, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    begun.recv();
    stream.close();
    EXPECT_EQ(ended.recv(), "cancelled");
  });
}

TEST(Server, DrainsRequestsInFlight) {
  run([] {
    auto begun = make_chan<bool>(0);
    auto go_on = make_chan<bool>(0);
    Router router = basic_router();
    router.get("/slow", [=](Exchange& c) {
      begun.send(true);
      go_on.recv();
      c.text(200, "done");
    });
    TestServer server(std::move(router));
    net::TcpStream idle = net::TcpStream::connect(server.address());
    send(idle, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
    receive(idle, "pong");
    net::TcpStream busy = net::TcpStream::connect(server.address());
    send(busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    begun.recv();
    WaitGroup stopping;
    stopping.go([&] { server.server().shutdown(10s); });
    EXPECT_EQ(receive(idle), "");  // closed at once
    go_on.send(true);
    const std::string answer = receive(busy);
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(answer, EndsWith("done"));
    stopping.wait();
    EXPECT_EQ(server.server().connections(), 0U);
  });
}

TEST(Server, CancelsWhatOutlastsTheDrain) {
  run([] {
    auto begun = make_chan<bool>(0);
    Router router;
    router.get("/forever", [=](Exchange&) {
      begun.send(true);
      sleep(1h);
    });
    TestServer server(std::move(router));
    net::TcpStream stream = net::TcpStream::connect(server.address());
    send(stream, "GET /forever HTTP/1.1\r\nHost: a\r\n\r\n");
    begun.recv();
    server.stop(20ms);
    EXPECT_THAT(receive(stream), StartsWith("HTTP/1.1 503"));
  });
}

TEST(Server, StopsWithItsContext) {
  run([] {
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    Server server(basic_router());
    const std::string address = listener.address();
    CancelScope scope;
    WaitGroup done;
    done.go([&] { server.serve(listener); });
    {
      const Shield shield;
      net::TcpStream stream = net::TcpStream::connect(address);
      send(stream, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
      receive(stream, "pong");
      scope.cancel();
      EXPECT_EQ(receive(stream), "");
    }
  });
}

// --- Client
// ------------------------------------------------------------------------------------------------------------

TEST(Client, TalksToTheServer) {
  run([] {
    TestServer server(basic_router());
    Client client;
    EXPECT_EQ(client.get(server.url("/ping")).body, "pong");
    EXPECT_EQ(client.post(server.url("/echo"), "text/plain", "hello").body, "hello");
    EXPECT_EQ(client.get(server.url("/stream")).body, "one,two");
    EXPECT_EQ(client.get(server.url("/large")).body.size(), 3'000'000U);
    EXPECT_EQ(client.get(server.url("/nothing?a=b#c")).status, 404);
    EXPECT_EQ(client.request({"HEAD", server.url("/ping"), {}, {}}).header("content-length"), "4");
    EXPECT_THROW(client.get(server.url("/broken")), Error);
    EXPECT_EQ(client.get(server.url("/ping")).status, 200);
    EXPECT_LE(server.server().connections(), 2U);  // pooled
  });
}

TEST(Client, PassesOnWhatIsLeftOfItsDeadline) {
  run([] {
    Router router;
    router.get("/left", [](Exchange& c) { c.text(200, c.header("x-request-timeout-ms")); });
    TestServer server(std::move(router));
    Client client;
    EXPECT_EQ(client.get(server.url("/left")).body, "");
    const CancelScope scope(10s);
    const int left = std::stoi(client.get(server.url("/left")).body);
    EXPECT_GT(left, 5000);
    EXPECT_LE(left, 10000);
  });
}

TEST(Client, ObservesItsContext) {
  run([] {
    net::TcpListener listener =
        net::TcpListener::listen("127.0.0.1:0");  // accepts into the backlog, says nothing
    Client client;
    const CancelScope scope(30ms);
    EXPECT_THROW(client.get("http://" + listener.address() + "/"), DeadlineExceeded);
  });
}

TEST(Client, RepeatsARequestOnAStaleConnection) {
  run([] {
    ServerOptions options;
    options.idle_timeout = 40ms;
    TestServer server(basic_router(), options);
    Client client;
    EXPECT_EQ(client.get(server.url("/ping")).status, 200);
    while (server.server().connections() != 0) sleep(1ms);
    EXPECT_EQ(client.get(server.url("/ping")).status, 200);
    EXPECT_EQ(client.post(server.url("/echo"), "text/plain", "x").status, 200);
  });
}

TEST(Client, RefusesBadRequestsAndUrls) {
  run([] {
    Client client;
    for (const char* url :
         {"https://a/", "a/b", "http://", "http:///x", "http://u@a/", "http://a/b c", "http://a/\r\nX: y"}) {
      EXPECT_THROW(client.get(url), Error) << url;
    }
    EXPECT_THROW(client.request({"GET", "http://a/", {{"X", "1\r\nY: 2"}}, {}}), Error);
    EXPECT_THROW(client.request({"G ET", "http://a/", {}, {}}), Error);
    EXPECT_THROW(client.request({"GET", "http://a/", {{"Host", "b"}}, {}}), Error);
    EXPECT_THROW(client.get("http://127.0.0.1:1/"), Error);
  });
}

// A server that answers with the given text.
std::string ask_liar(std::string_view text) {
  net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
  WaitGroup done;
  done.go([&] {
    net::TcpStream stream = listener.accept();
    receive(stream, "\r\n\r\n");
    send(stream, text);
  });
  ClientOptions options;
  options.max_body_bytes = 100;
  options.max_header_bytes = 1000;
  try {
    return Client(options).get("http://" + listener.address() + "/").body;
  } catch (const Error& error) {
    return std::string(to_string(error.code()));
  }
}

TEST(Client, SurvivesBadAnswers) {
  run([] {
    EXPECT_EQ(ask_liar("HTTP/1.1 200 OK\r\n\r\nuntil close"), "until close");
    EXPECT_EQ(ask_liar("HTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
              "ok");
    EXPECT_EQ(ask_liar(""), "UNAVAILABLE");
    EXPECT_EQ(ask_liar("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), "UNAVAILABLE");
    EXPECT_EQ(ask_liar("nonsense\r\n\r\n"), "INTERNAL");
    EXPECT_EQ(ask_liar("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
              "INTERNAL");
    EXPECT_EQ(ask_liar("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "INTERNAL");
    EXPECT_EQ(ask_liar("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"), "RESOURCE_EXHAUSTED");
    EXPECT_EQ(ask_liar("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n"), "RESOURCE_EXHAUSTED");
    EXPECT_EQ(ask_liar("HTTP/1.1 200 OK\r\n\r\n" + std::string(300, 'x')), "RESOURCE_EXHAUSTED");
    EXPECT_EQ(ask_liar("HTTP/1.1 200 OK\r\nX: " + std::string(5000, 'x')), "RESOURCE_EXHAUSTED");
  });
}

}  // namespace
}  // namespace degu::http
