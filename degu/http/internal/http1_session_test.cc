#include <degu/http/internal/http1_session.h>
#include <degu/http/internal/refusals.h>
#include <degu/http/websocket.h>
#include <degu/net/pipe.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace degu::http::internal {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using End = Http1Session::End;

constexpr std::string_view kUpgrade =
    "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
constexpr std::string_view kPing = "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kMaskedHi("\x81\x82\x00\x00\x00\x00hi", 8);
constexpr std::string_view kMaskedClose("\x88\x80\x00\x00\x00\x00", 6);

// One end of a connection in memory for a test, the other for a session.
struct Client {
  Client() : Client(net::pipe()) {}

  void write(std::string_view bytes) { stream.write({bytes.data(), bytes.size()}, now() + 5s); }
  // Reads until it has seen `end`.
  std::string read_to(std::string_view end) {
    std::string text;
    std::array<char, 4096> part;
    while (text.find(end) == std::string::npos) {
      const net::IoResult got = stream.read(part, now() + 10s);
      if (got.bytes == 0) break;
      text.append(part.data(), got.bytes);
    }
    return text;
  }

  net::Stream stream;
  Connection connection;

 private:
  explicit Client(std::pair<net::Stream, net::Stream> ends)
      : stream(std::move(ends.first)),
        connection(
            net::TcpStream(std::move(ends.second).take_socket()), with_cancel(current_context()),
            [](Connection&) {}, nullptr) {}
};

class Http1SessionTest : public ::testing::Test {
 protected:
  Http1SessionTest() {
    router_.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
    router_.get("/lasting", [](Exchange& c) { c.text(200, c.header("x-name")); }, {.long_lived = true});
    router_.post("/lasting", [](Exchange& c) { c.text(200, c.body()); }, {.long_lived = true});
    router_.get("/socket",
                [](Exchange& c) {
                  websocket(c, {}, [&](WebSocket& socket) {
                    while (const auto message = socket.recv())
                      socket.send_text(message->data + std::string(c.path()));
                  });
                },
                {.long_lived = true});
  }

  Router router_;
  ServerOptions options_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> closing_{false};
  Context drain_;
  Refusals refusals_{nullptr};
  ConnectionEnv env_{*router_.table(), options_, draining_, closing_, drain_, refusals_};
};

TEST_F(Http1SessionTest, ServesOthersWhileAWebSocketLasts) {
  run([&] {
    Http1Session session(env_);
    Client first;
    WaitGroup clients;
    clients.go([&] { first.write(std::string(kUpgrade).append(kMaskedHi)); });
    ASSERT_EQ(session.serve(first.connection), End::kLasting);
    const auto own = std::make_unique<Http1Session>(env_, session.take_lasting());
    WaitGroup lasting;
    lasting.go([&] {
      EXPECT_EQ(own->serve(first.connection), End::kClose);
      first.connection.stream().close();
    });
    EXPECT_THAT(first.read_to("hi/socket"), StartsWith("HTTP/1.1 101 "));

    Client second;
    clients.go([&] {
      second.write(kPing);
      EXPECT_THAT(second.read_to("pong"), StartsWith("HTTP/1.1 200 "));
      second.stream.close();
    });
    EXPECT_EQ(session.serve(second.connection), End::kIdle);

    first.write(kMaskedHi);
    EXPECT_EQ(first.read_to("hi/socket"), "\x81\x09hi/socket");
    first.write(kMaskedClose);
    EXPECT_THAT(first.read_to("nothing more"), StartsWith("\x88"));
    lasting.wait();
    clients.wait();
  });
}

TEST_F(Http1SessionTest, OnlyALastingRequestWithoutABodyWantsItsOwn) {
  run([&] {
    const auto outcome = [&](std::string request, std::string_view end) {
      Http1Session session(env_);
      Client client;
      WaitGroup writing;
      writing.go([&] {
        client.write(request);
        client.read_to(end);
        client.stream.close();
      });
      const End served = session.serve(client.connection);
      if (served == End::kLasting) client.stream.close();
      writing.wait();
      return served;
    };
    EXPECT_EQ(outcome(std::string(kPing), "pong"), End::kIdle);
    EXPECT_EQ(outcome("GET /missing HTTP/1.1\r\nHost: a\r\n\r\n", "}"), End::kIdle);
    EXPECT_EQ(outcome("GET /lasting HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n"), End::kLasting);
    EXPECT_EQ(outcome("POST /lasting HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", "hi"), End::kIdle);
    EXPECT_EQ(
        outcome("POST /lasting HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
                "hi"),
        End::kIdle);
  });
}

TEST_F(Http1SessionTest, ASessionOfItsOwnGoesOnWithWhatCameBehind) {
  run([&] {
    Http1Session session(env_);
    Client client;
    WaitGroup writing;
    writing.go([&] {
      client.write(
          "GET /lasting HTTP/1.1\r\nHost: a\r\nX-Name: one\r\n\r\n"
          "GET /lasting HTTP/1.1\r\nHost: a\r\nX-Name: two\r\n\r\n" +
          std::string(kPing));
    });
    ASSERT_EQ(session.serve(client.connection), End::kLasting);
    Http1Session own(env_, session.take_lasting());
    WaitGroup serving;
    serving.go([&] { EXPECT_EQ(own.serve(client.connection), End::kIdle); });
    const std::string answers = client.read_to("pong");
    EXPECT_THAT(answers, HasSubstr("\r\n\r\none"));
    EXPECT_THAT(answers, HasSubstr("\r\n\r\ntwo"));
    serving.wait();
    EXPECT_EQ(client.connection.requests(), 3U);
    writing.wait();
  });
}

TEST_F(Http1SessionTest, ASessionOfItsOwnMayTurnOutToBeHttp2) {
  run([&] {
    Http1Session session(env_);
    Client client;
    WaitGroup writing;
    writing.go([&] {
      client.write(
          "GET /lasting HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
          "HTTP2-Settings: AAMAAABk\r\n\r\nwhat is behind");
    });
    ASSERT_EQ(session.serve(client.connection), End::kLasting);
    Http1Session own(env_, session.take_lasting());
    WaitGroup reading;
    reading.go([&] { EXPECT_THAT(client.read_to("\r\n\r\n"), StartsWith("HTTP/1.1 101 ")); });
    EXPECT_EQ(own.serve(client.connection), End::kHttp2);
    EXPECT_EQ(own.take_input(), "what is behind");
    reading.wait();
    writing.wait();
  });
}

}  // namespace
}  // namespace degu::http::internal
