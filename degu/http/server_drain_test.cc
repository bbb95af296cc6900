// What a server that is told to stop owes to those who have come, or are about to.
#include <degu/base/testing/code_of.h>
#include <degu/context/context.h>
#include <degu/http/server.h>
#include <degu/http/testing/frame_client.h>
#include <degu/http/testing/raw_server.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::FrameClient;
using degu::testing::receive;
using degu::testing::send;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kPing = "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kWait = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kClose = "Connection: close\r\n";
constexpr uint32_t kNoError = 0;

// Its /wait is answered when the drain has begun, and tells `begun_` that it was asked.
class Stopping {
 public:
  explicit Stopping(ServerOptions options = {},
                    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0"))
      : listener_(std::move(listener)), server_(router(), std::move(options)) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~Stopping() {
    stop();
    done_.wait();
  }
  void stop() {
    stopping_.go([this] { server_.shutdown(10s); });
  }
  // Until `serve` and `shutdown` have returned.
  void wait() {
    stopping_.wait();
    done_.wait();
  }
  net::TcpStream connect() const { return net::TcpStream::connect(listener_.address()); }
  // A connection with a request in flight that tells when the drain has begun: by its answer.
  net::TcpStream watch() {
    net::TcpStream stream = connect();
    send(stream, kWait);
    begun_.recv();
    return stream;
  }
  const net::TcpListener& listener() const { return listener_; }
  Server& server() { return server_; }
  Chan<int>& begun() { return begun_; }

 private:
  Router router() {
    Router router;
    router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
    router.get("/wait", [this](Exchange& c) {
      begun_.send(1);
      c.draining().wait();
      c.text(200, "stopping");
    });
    router.get("/stream", [this](Exchange& c) {
      ResponseStream& stream = c.stream(200, "text/plain");
      stream.write("begun,");
      begun_.send(1);
      c.draining().wait();
      stream.write("ended");
    });
    return router;
  }

  Chan<int> begun_ = make_chan<int>(10);
  net::TcpListener listener_;
  Server server_;
  WaitGroup done_;
  WaitGroup stopping_;
};

ServerOptions patient() {
  ServerOptions options;
  options.idle_grace = 10s;
  return options;
}

std::string ask(net::TcpStream& stream, std::string_view request = kPing, std::string_view end = "pong") {
  send(stream, request);
  return receive(stream, end);
}

TEST(ServerDrain, ARequestOnItsWayToAnIdleConnectionIsAnswered) {
  run([] {
    Stopping server(patient());
    net::TcpStream used = server.connect();
    EXPECT_THAT(ask(used), Not(HasSubstr(kClose)));
    net::TcpStream fresh = server.connect();
    while (server.server().connections() != 2) yield();
    net::TcpStream watch = server.watch();
    server.stop();
    EXPECT_THAT(receive(watch, "stopping"), HasSubstr(kClose));
    for (net::TcpStream* stream : {&used, &fresh}) {
      const std::string answer = ask(*stream);
      EXPECT_THAT(answer, HasSubstr(kClose));
      EXPECT_THAT(answer, EndsWith("pong"));
      EXPECT_EQ(receive(*stream), "");
    }
    server.wait();
  });
}

TEST(ServerDrain, AfterTheGraceIdleConnectionsAreClosed) {
  run([] {
    for (const std::chrono::nanoseconds grace : {0ns, std::chrono::nanoseconds(20ms)}) {
      ServerOptions options;
      options.idle_grace = grace;
      Stopping server(options);
      net::TcpStream idle = server.connect();
      ask(idle);
      const TimePoint begin = now();
      server.stop();
      EXPECT_EQ(receive(idle), "");
      EXPECT_GE(now() - begin, grace);
      server.wait();
      EXPECT_EQ(server.server().connections(), 0U);
    }
  });
}

TEST(ServerDrain, TheGraceIsNoLongerThanTheDrain) {
  run([] {
    ServerOptions options;
    options.idle_grace = 24h;
    Stopping server(options);
    net::TcpStream idle = server.connect();
    ask(idle);
    server.server().shutdown(1ms);
    EXPECT_EQ(receive(idle), "");
  });
}

TEST(ServerDrain, AllThatWasPipelinedIsAnswered) {
  run([] {
    Stopping server(patient());
    net::TcpStream stream = server.connect();
    send(stream, std::string(kWait) + std::string(kPing) + std::string(kPing));
    server.begun().recv();
    server.stop();
    const std::string answers = receive(stream, "never");
    const std::size_t second = answers.find("stopping") + 8;
    const std::size_t third = answers.find("pong") + 4;
    EXPECT_THAT(answers.substr(0, second), Not(HasSubstr(kClose)));
    EXPECT_THAT(answers.substr(second, third - second), Not(HasSubstr(kClose)));
    EXPECT_THAT(answers.substr(third), HasSubstr(kClose));
    EXPECT_THAT(answers, EndsWith("pong"));
  });
}

TEST(ServerDrain, AStreamedAnswerKeepsToWhatItsHeadSaid) {
  run([] {
    Stopping server(patient());
    net::TcpStream stream = server.connect();
    send(stream, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    server.begun().recv();
    server.stop();
    EXPECT_THAT(receive(stream, "\r\n0\r\n\r\n"), Not(HasSubstr(kClose)));
    EXPECT_THAT(ask(stream), HasSubstr(kClose));
  });
}

// Stops its server in the middle of accepting, at the second connection of one client, and goes on when a third has come.
class StopsWhileAccepting final : public RefusalObserver {
 public:
  void refused(const Refusal& refusal) noexcept override {
    if (refusal.cause != RefusalCause::kAddress) return;
    server->stop();
    receive(*watch, "stopping");
    stopping.send(1);
    go_on.recv();
  }
  Stopping* server = nullptr;
  net::TcpStream* watch = nullptr;
  Chan<int> stopping = make_chan<int>(1);
  Chan<int> go_on = make_chan<int>(1);
};

struct StoppedWhileAccepting {
  explicit StoppedWhileAccepting(net::TcpListener listener)
      : server(options(observer), std::move(listener)), watch(server.watch()) {
    observer->server = &server;
    observer->watch = &watch;
    refused = server.connect();
    observer->stopping.recv();
  }
  static ServerOptions options(const std::shared_ptr<RefusalObserver>& observer) {
    ServerOptions options = patient();
    options.max_connections_per_address = 1;
    options.on_refusal = observer;
    return options;
  }
  std::shared_ptr<StopsWhileAccepting> observer = std::make_shared<StopsWhileAccepting>();
  Stopping server;
  net::TcpStream watch;
  net::TcpStream refused;
};

TEST(ServerDrain, WhoWaitsToBeAcceptedIsServed) {
  run([] {
    StoppedWhileAccepting stopped(net::TcpListener::listen("127.0.0.1:0"));
    const std::string address = stopped.server.listener().address();
    stopped.watch.close();
    while (stopped.server.server().connections() != 0) yield();
    net::TcpStream queued = stopped.server.connect();
    send(queued, kPing);
    stopped.observer->go_on.send(1);
    EXPECT_THAT(receive(queued, "pong"), HasSubstr(kClose));
    stopped.server.wait();
    EXPECT_EQ(code_of([&] { net::TcpStream::connect(address); }), Code::kUnavailable);
  });
}

TEST(ServerDrain, WhoWaitsAtASharedSocketIsServedByTheNext) {
  run([] {
    const net::TcpListener first = net::TcpListener::listen("127.0.0.1:0");
    StoppedWhileAccepting stopped(net::TcpListener::adopt(::dup(first.fd())));
    stopped.watch.close();
    net::TcpStream queued = stopped.server.connect();
    send(queued, kPing);
    stopped.observer->go_on.send(1);
    stopped.server.wait();
    EXPECT_EQ(stopped.server.server().requests(), 1U);  // that of the watch
    Stopping next({}, net::TcpListener::adopt(::dup(first.fd())));
    EXPECT_THAT(receive(queued, "pong"), EndsWith("pong"));
    net::TcpStream later = next.connect();
    EXPECT_THAT(ask(later), EndsWith("pong"));
  });
}

TEST(ServerDrain, AServeThatComesAfterTheShutdownReturns) {
  run([] {
    net::TcpListener listener = net::TcpListener::listen("127.0.0.1:0");
    net::TcpStream waits = net::TcpStream::connect(listener.address());
    Server server((Router()));
    server.shutdown(1s);
    server.serve(listener);
    EXPECT_EQ(receive(waits), "");
    EXPECT_EQ(server.connections(), 0U);
  });
}

// --- HTTP/2

TEST(ServerDrain, AnIdleConnectionOfHttp2IsToldAndHeardOut) {
  run([] {
    Stopping server(patient());
    FrameClient idle(server.listener().address());
    const auto get = FrameClient::request("GET", "/ping");
    EXPECT_EQ(idle.call(get).body, "pong");
    net::TcpStream watch = server.watch();
    server.stop();
    EXPECT_THAT(receive(watch, "stopping"), HasSubstr("stopping"));
    while (idle.goaways.empty() && idle.receive()) {
    }
    ASSERT_EQ(idle.goaways.size(), 1U);
    EXPECT_EQ(idle.goaways[0], std::pair(0x7fffffffU, kNoError));
    // It has been on its way: the answer to the PING comes behind it.
    EXPECT_EQ(idle.call(get).body, "pong");
    EXPECT_TRUE(idle.wait_for_end());
    EXPECT_EQ(idle.goaways.back(), std::pair(3U, kNoError));
    server.wait();
  });
}

// One server after another on one socket, under load: no request is lost, and none is sent twice.
TEST(ServerDrain, ServersTakeOverFromEachOther) {
  run([] {
    const net::TcpListener socket = net::TcpListener::listen("127.0.0.1:0");
    std::atomic<bool> enough{false};
    std::atomic<int> answered{0};
    WaitGroup clients;
    for (int i = 0; i < 4; ++i) {
      clients.go([&] {
        while (!enough.load()) {
          net::TcpStream stream = net::TcpStream::connect(socket.address());
          for (bool last = false; !last && !enough.load(); ++answered) {
            const std::string answer = ask(stream);
            ASSERT_THAT(answer, EndsWith("pong"));
            last = answer.find(kClose) != std::string::npos;
          }
        }
      });
      clients.go([&] {
        while (!enough.load()) {
          FrameClient client(socket.address());
          while (client.goaways.empty() && !enough.load()) {
            std::vector<uint32_t> ids;
            for (int k = 0; k < 5; ++k) ids.push_back(client.ask(FrameClient::request("GET", "/ping")));
            for (const uint32_t id : ids) {
              ASSERT_EQ(client.wait(id).body, "pong");
              ++answered;
            }
          }
        }
      });
    }
    auto running = std::make_unique<Stopping>(ServerOptions(), net::TcpListener::adopt(::dup(socket.fd())));
    for (int round = 0; round < 20; ++round) {
      auto next = std::make_unique<Stopping>(ServerOptions(), net::TcpListener::adopt(::dup(socket.fd())));
      const int before = answered.load();
      while (answered.load() < before + 100) yield();
      running = std::move(next);  // the end of the one before
    }
    enough.store(true);
    clients.wait();
    EXPECT_GE(answered.load(), 2000);
  });
}

TEST(ServerDrain, AConnectionOfHttp2ThatComesLateIsServed) {
  run([] {
    Stopping server(patient());
    net::TcpStream watch = server.watch();
    FrameClient late(server.listener().address());
    while (server.server().connections() != 2) yield();
    server.stop();
    receive(watch, "stopping");
    EXPECT_EQ(late.call(FrameClient::request("GET", "/ping")).body, "pong");
    EXPECT_TRUE(late.wait_for_end());
    server.wait();
  });
}

}  // namespace
}  // namespace degu::http
