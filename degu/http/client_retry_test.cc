#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/client.h>
#include <degu/http/internal/retry.h>
#include <degu/http/internal/retry_budget.h>
#include <degu/http/testing/raw_server.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::RawServer;
using degu::testing::receive;
using degu::testing::send;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

ClientOptions eager(int attempts) {
  ClientOptions options;
  options.retry.max_attempts = attempts;
  options.retry.initial_backoff = 1us;
  return options;
}

// Breaks off the first connections, after it has read the request.
RawServer::Talk fails(int times) {
  return [times](net::TcpStream& stream, int nth) {
    if (!receive(stream).empty() && nth >= times) send(stream, kOk);
  };
}

TEST(ClientRetry, RepeatsWhatMayBeRepeated) {
  run([] {
    for (const char* method : {"GET", "PUT", "DELETE", "OPTIONS"}) {
      RawServer server(fails(2));
      EXPECT_EQ(Client(eager(3)).request({method, server.url()}).body, "ok") << method;
      EXPECT_EQ(server.connections(), 3);
    }
    RawServer server(fails(1));
    EXPECT_EQ(Client(eager(2)).request({"POST", server.url(), {{"Idempotency-Key", "1"}}}).body, "ok");
  });
}

TEST(ClientRetry, LeavesTheRest) {
  run([] {
    for (const char* method : {"POST", "PATCH", "LOCK"}) {
      RawServer server(fails(1));
      EXPECT_EQ(code_of([&] { Client(eager(3)).request({method, server.url()}); }), Code::kUnavailable);
      EXPECT_EQ(server.connections(), 1) << method;
    }
    RawServer server(fails(1));
    EXPECT_EQ(code_of([&] { Client().get(server.url()); }), Code::kUnavailable);
    EXPECT_EQ(server.connections(), 1);
    RawServer worse(fails(5));
    EXPECT_EQ(code_of([&] { Client(eager(3)).get(worse.url()); }), Code::kUnavailable);
    EXPECT_EQ(worse.connections(), 3);
  });
}

TEST(ClientRetry, NotAfterAByteOfAnAnswer) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, "H");
    });
    EXPECT_EQ(code_of([&] { Client(eager(3)).get(server.url()); }), Code::kUnavailable);
    EXPECT_EQ(server.connections(), 1);
  });
}

TEST(ClientRetry, AConnectionThatNeverWasIsRepeatedForAnyMethod) {
  run([] {
    std::string address;
    { address = net::TcpListener::listen("127.0.0.1:0").address(); }
    ClientOptions options = eager(4);
    options.retry.initial_backoff = 1ms;
    Client client(options);
    EXPECT_EQ(code_of([&] {
                client.request({"POST", "http://" + address + "/", {}, "b"});
              }),
              Code::kUnavailable);
    const CancelScope scope(100ms);
    options.retry.max_attempts = 1000;
    EXPECT_EQ(code_of([&] { Client(options).get("http://" + address + "/"); }), Code::kUnavailable);
  });
}

TEST(ClientRetry, APooledConnectionThatBreaksIsRepeatedAtOnce) {
  run([] {
    RawServer server([](net::TcpStream& stream, int nth) {
      receive(stream);
      send(stream, kOk);
      if (nth == 0) receive(stream);  // reads a second request, and goes
    });
    Client client;
    EXPECT_EQ(client.get(server.url()).body, "ok");
    EXPECT_EQ(client.get(server.url()).body, "ok");
    EXPECT_EQ(server.connections(), 2);
  });
}

TEST(ClientRetry, APostOnAPooledConnectionIsNot) {
  run([] {
    RawServer server([](net::TcpStream& stream, int) {
      receive(stream);
      send(stream, kOk);
      receive(stream);
    });
    Client client;
    EXPECT_EQ(client.get(server.url()).body, "ok");
    EXPECT_EQ(code_of([&] { client.post(server.url(), "text/plain", "b"); }), Code::kUnavailable);
    EXPECT_EQ(server.connections(), 1);
  });
}

// Refuses the first request so.
RawServer::Talk says_later(std::string_view fields, int status = 503) {
  return [fields, status](net::TcpStream& stream, int nth) {
    for (int i = 0; !receive(stream).empty(); ++i)
      send(stream, nth + i > 0
                       ? std::string(kOk)
                       : fmt::format("HTTP/1.1 {} Later\r\n{}Content-Length: 3\r\n\r\nnot", status, fields));
  };
}

TEST(ClientRetry, ComesAgainWhenAsked) {
  run([] {
    ClientOptions options = eager(2);
    options.retry.retry_after = true;
    const auto ask = [&](RawServer::Talk talk, const char* method = "GET") {
      RawServer server(std::move(talk));
      return Client(options).request({method, server.url()}).body;
    };
    EXPECT_EQ(ask(says_later("Retry-After: 0\r\n")), "ok");
    EXPECT_EQ(ask(says_later("Retry-After: 0\r\n", 429)), "ok");
    EXPECT_EQ(ask(says_later("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n")), "ok");
    EXPECT_EQ(ask(says_later("Retry-After: 0\r\n"), "POST"), "not");
    EXPECT_EQ(ask(says_later("Retry-After: 0\r\n", 500)), "not");
    EXPECT_EQ(ask(says_later("")), "not");
    EXPECT_EQ(ask(says_later("Retry-After: soon\r\n")), "not");
    EXPECT_EQ(ask(says_later("Retry-After: 3600\r\n")), "not");
    options.retry.retry_after = false;
    EXPECT_EQ(ask(says_later("Retry-After: 0\r\n")), "not");
    options.retry.retry_after = true;
    const CancelScope scope(5s);
    EXPECT_EQ(ask(says_later("Retry-After: 20\r\n")), "not");  // the deadline is earlier
  });
}

TEST(ClientRetry, StopsWhenTooMuchFails) {
  run([] {
    RawServer server(fails(1'000'000));
    Client client(eager(2));
    for (int i = 0; i < 20; ++i) EXPECT_THROW(client.get(server.url()), Error);
    EXPECT_EQ(server.connections(), 22);  // 4 failures leave 6 tokens, the fifth 5
  });
}

TEST(RetryBudget, IsEarnedBack) {
  internal::RetryBudget budget;
  for (int i = 0; i < 1000; ++i) budget.on_success();  // no more than full
  for (int i = 0; i < 4; ++i) budget.on_failure();
  EXPECT_TRUE(budget.allows());
  budget.on_failure();
  EXPECT_FALSE(budget.allows());
  for (int i = 0; i < 1000; ++i) budget.on_failure();  // no less than empty
  for (int i = 0; i < 50; ++i) budget.on_success();
  EXPECT_FALSE(budget.allows());
  budget.on_success();
  EXPECT_TRUE(budget.allows());
}

TEST(Backoff, IsCappedAndRandom) {
  RetryOptions options;
  options.initial_backoff = 10ms;
  options.max_backoff = 35ms;
  const auto most = [&](int attempt) {
    std::chrono::nanoseconds seen{0};
    for (int i = 0; i < 2000; ++i) seen = std::max(seen, internal::backoff(options, attempt));
    return seen;
  };
  const std::pair<int, std::chrono::nanoseconds> cases[] = {
      {1, 10ms}, {2, 20ms}, {3, 35ms}, {1'000'000, 35ms}};
  for (const auto& [attempt, bound] : cases) {
    EXPECT_LE(most(attempt), bound);
    EXPECT_GT(most(attempt), bound * 3 / 4);
  }
  options.max_backoff = std::chrono::nanoseconds::max();
  EXPECT_GE(internal::backoff(options, 1'000), 0ns);
  options.initial_backoff = -1s;
  EXPECT_EQ(internal::backoff(options, 3), 0ns);
}

}  // namespace
}  // namespace degu::http
