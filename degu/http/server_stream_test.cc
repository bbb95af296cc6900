// Bodies that are read and written while they move, over both versions of HTTP.
#include <degu/context/cancel_scope.h>
#include <degu/http/server.h>
#include <degu/http/test_call.h>
#include <degu/http/testing/frame_client.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::Answer;
using degu::testing::Fields;
using degu::testing::FrameClient;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class StreamServer {
 public:
  explicit StreamServer(Router router, ServerOptions options = {})
      : listener_(net::TcpListener::listen("127.0.0.1:0")), server_(std::move(router), std::move(options)) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~StreamServer() {
    server_.shutdown(5s);
    done_.wait();
  }
  std::string address() const { return listener_.address(); }

 private:
  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
};

std::string read_all(Exchange& c, std::size_t piece = 7) {
  std::string text;
  std::string into(piece, '\0');
  while (const std::size_t bytes = c.body_stream().read(into)) text.append(into.data(), bytes);
  return text;
}

Router echo_router(std::size_t limit = 0) {
  Router router;
  router.post("/echo",
              [](Exchange& c) {
                const std::string body = read_all(c);
                c.text(200, body + "|" + std::string(c.body()) + "|" + std::string(c.trailer("X-Sum")));
              },
              {.max_body_bytes = limit, .stream_body = true});
  router.post("/ignore", [](Exchange& c) { c.text(200, "enough"); }, {.stream_body = true});
  router.post("/whole",
              [](Exchange& c) { c.text(200, read_all(c) + "|" + std::string(c.trailer("x-sum"))); });
  router.get("/trailed", [](Exchange& c) {
    ResponseStream& stream = c.stream(200, "text/plain");
    stream.write("body");
    stream.add_trailer("X-Sum", "42");
  });
  return router;
}

void send(net::TcpStream& stream, std::string_view text) {
  stream.write({text.data(), text.size()}, now() + 5s);
}

// Until the end of the connection, or until `enough` has come.
std::string receive(net::TcpStream& stream, std::string_view enough = "\x01") {
  std::string text;
  std::array<char, 4096> part;
  while (text.find(enough) == std::string::npos) {
    const net::IoResult result = stream.read(part, now() + 10s);
    if (result.bytes == 0) break;
    text.append(part.data(), result.bytes);
  }
  return text;
}

constexpr std::string_view kSized = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";
constexpr std::string_view kChunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST(RequestStream, ReadsSizedAndChunkedBodiesAndWhatFollows) {
  run([] {
    StreamServer server(echo_router());
    net::TcpStream stream = net::TcpStream::connect(server.address());
    send(stream, std::string(kSized) + "0123456789" + std::string(kChunked) +
                     "3\r\nabc\r\n9\r\ndefghijkl\r\n0\r\nX-Sum: 12\r\n\r\n" +
                     "POST /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                     "chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 2\r\n\r\n" +
                     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    const std::string answer = receive(stream);
    EXPECT_THAT(answer, HasSubstr("\r\n\r\n0123456789||HTTP/1.1 200"));
    EXPECT_THAT(answer, HasSubstr("\r\n\r\nabcdefghijkl||12HTTP/1.1 200"));
    EXPECT_THAT(answer, HasSubstr("\r\n\r\nhi|2HTTP/1.1 200"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n||"));
  });
}

TEST(RequestStream, ReadsHoweverTheBytesAreCut) {
  run([] {
    StreamServer server(echo_router());
    const std::string request =
        std::string(kChunked) + "3\r\nabc\r\n9\r\ndefghijkl\r\n0\r\nX-Sum: 12\r\n\r\n";
    for (std::size_t cut = 1; cut < request.size(); ++cut) {
      net::TcpStream stream = net::TcpStream::connect(server.address());
      send(stream, request.substr(0, cut));
      yield();
      send(stream, request.substr(cut));
      EXPECT_THAT(receive(stream, "12"), EndsWith("\r\n\r\nabcdefghijkl||12")) << cut;
    }
  });
}

TEST(RequestStream, TheHandlerBeginsBeforeTheBodyHasCome) {
  run([] {
    Chan<std::string> pieces = make_chan<std::string>();
    Router router;
    router.post("/echo",
                [&](Exchange& c) {
                  std::array<char, 64> into;
                  while (const std::size_t bytes = c.body_stream().read(into))
                    pieces.send(std::string(into.data(), bytes));
                  c.text(200, "done");
                },
                {.stream_body = true});
    StreamServer server(std::move(router));
    net::TcpStream stream = net::TcpStream::connect(server.address());
    send(stream, kSized);
    send(stream, "01234");
    EXPECT_EQ(pieces.recv(), "01234");
    send(stream, "56789");
    EXPECT_EQ(pieces.recv(), "56789");
    EXPECT_THAT(receive(stream, "done"), StartsWith("HTTP/1.1 200 OK\r\n"));

    FrameClient client(server.address());
    const uint32_t id = client.ask(FrameClient::request("POST", "/echo"), std::nullopt);
    client.send_body(id, "abc", false);
    EXPECT_EQ(pieces.recv(), "abc");
    client.send_body(id, "def", true);
    EXPECT_EQ(pieces.recv(), "def");
    EXPECT_EQ(client.wait(id).body, "done");
  });
}

TEST(RequestStream, WhatIsNotReadEndsTheConnectionBehindTheAnswer) {
  run([] {
    StreamServer server(echo_router());
    net::TcpStream stream = net::TcpStream::connect(server.address());
    send(stream, "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nfirst");
    const std::string answer = receive(stream);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(answer, EndsWith("enough"));

    FrameClient client(server.address());
    const uint32_t id = client.ask(FrameClient::request("POST", "/ignore"), std::nullopt);
    client.send_body(id, "first", false);
    EXPECT_EQ(client.wait(id).body, "enough");
    while (!client.wait(id).reset && client.receive()) {
    }
    EXPECT_EQ(client.wait(id).reset, 0U);
    EXPECT_EQ(client.call(FrameClient::request("POST", "/echo"), "next").body, "next||");
  });
}

TEST(RequestStream, LimitsHold) {
  run([] {
    ServerOptions options;
    options.io_timeout = 100ms;
    StreamServer server(echo_router(8), options);
    const auto answer_to = [&](const std::string& request) {
      net::TcpStream stream = net::TcpStream::connect(server.address());
      send(stream, request);
      return receive(stream);
    };
    EXPECT_THAT(answer_to(std::string(kSized) + "0123456789"), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(answer_to(std::string(kChunked) + "9\r\n012345678\r\n0\r\n\r\n"),
                StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(answer_to(std::string(kChunked) + "3\r\nabcd"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(answer_to(std::string(kChunked) + "3\r\nab"), StartsWith("HTTP/1.1 408 "));
    FrameClient client(server.address());
    EXPECT_EQ(client.call(FrameClient::request("POST", "/echo"), "012345678").status, 413);
    const uint32_t slow = client.ask(FrameClient::request("POST", "/echo"), std::nullopt);
    client.send_body(slow, "ab", false);
    EXPECT_EQ(client.wait(slow).status, 408);
    EXPECT_EQ(client.call(FrameClient::request("POST", "/echo"), "01234567").status, 200);
  });
}

TEST(RequestStream, Says100WhenSomebodyReads) {
  run([] {
    StreamServer server(echo_router());
    net::TcpStream stream = net::TcpStream::connect(server.address());
    send(stream, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(receive(stream, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    send(stream, "body");
    EXPECT_THAT(receive(stream, "body||"), StartsWith("HTTP/1.1 200 OK\r\n"));
    net::TcpStream ignored = net::TcpStream::connect(server.address());
    send(ignored, "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_THAT(receive(ignored), StartsWith("HTTP/1.1 200 OK\r\n"));
  });
}

TEST(RequestStream, AVanishedClientEndsTheRead) {
  run([] {
    Chan<int> begun = make_chan<int>(2);
    Chan<Code> ended = make_chan<Code>(1);
    Router router;
    router.post("/echo",
                [&](Exchange& c) {
                  begun.send(1);
                  try {
                    read_all(c);
                  } catch (const Error& error) {
                    ended.send(error.code());
                    throw;
                  }
                },
                {.stream_body = true});
    StreamServer server(std::move(router));
    {
      net::TcpStream stream = net::TcpStream::connect(server.address());
      send(stream, std::string(kSized) + "01");
      begun.recv();
    }
    EXPECT_EQ(ended.recv(), Code::kUnavailable);
    FrameClient client(server.address());
    const uint32_t id = client.ask(FrameClient::request("POST", "/echo"), std::nullopt);
    begun.recv();
    client.send(FrameClient::kReset, 0, id, FrameClient::number(8, 4));
    const auto code = ended.recv();
    EXPECT_TRUE(code == Code::kCancelled || code == Code::kUnavailable);
  });
}

TEST(RequestStream, HoldsItsClientBackWhileNobodyReads) {
  run([] {
    Chan<int> go_on = make_chan<int>();
    Router router;
    router.post("/late",
                [&](Exchange& c) {
                  go_on.recv();
                  c.text(200, std::to_string(read_all(c, 10'000).size()));
                },
                {.max_body_bytes = 10'000'000, .stream_body = true});
    StreamServer server(std::move(router));
    FrameClient client(server.address());
    const uint32_t id = client.ask(FrameClient::request("POST", "/late"), std::nullopt);
    std::string all(65'535, 'b');
    client.send_body(id, all, false);
    EXPECT_FALSE(client.receive(now() + 50ms) && client.frames.back().type == FrameClient::kWindow &&
                 client.frames.back().stream == id);
    go_on.close();
    client.send_body(id, std::string(500'000, 'c'));
    EXPECT_EQ(client.wait(id).body, "565535");
  });
}

TEST(RequestStream, OtherRoutesAndTestsReadFromMemory) {
  const Response response = test::call(echo_router(), "POST", "/echo", "text");
  EXPECT_EQ(response.body, "text|text|");
}

TEST(ResponseStreamTrailers, ReachThoseWhoWantThem) {
  run([] {
    StreamServer server(echo_router());
    net::TcpStream stream = net::TcpStream::connect(server.address());
    send(stream, "GET /trailed HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
    EXPECT_THAT(receive(stream, "\r\n0\r\nX-Sum: 42\r\n\r\n"),
                EndsWith("\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n"));
    send(stream, "GET /trailed HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(receive(stream), EndsWith("\r\n4\r\nbody\r\n0\r\n\r\n"));
    FrameClient client(server.address());
    const Answer answer = client.call(FrameClient::request("GET", "/trailed"));
    EXPECT_EQ(answer.body, "body");
    EXPECT_TRUE(answer.ended);
    EXPECT_EQ(answer.field("x-sum"), "42");
    EXPECT_EQ(answer.status, 200);
  });
}

}  // namespace
}  // namespace degu::http
