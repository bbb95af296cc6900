#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/pipe.h>
#include <degu/net/resolve.h>
#include <degu/net/socket.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/sim/sim.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <set>
#include <string>

using namespace std::chrono_literals;

namespace degu {
namespace {

// Reads until the end of the stream; its errno at the end.
int read_all(net::TcpStream& stream, std::string& into) {
  char buffer[64];
  for (;;) {
    const net::IoResult got = stream.read(buffer);
    if (got.error != 0 || got.bytes == 0) return got.error;
    into.append(buffer, got.bytes);
  }
}

void echo(net::TcpStream stream) {
  char buffer[256];
  for (;;) {
    const net::IoResult got = stream.read(buffer);
    if (got.error != 0 || got.bytes == 0) return;
    if (stream.write(std::string_view(buffer, got.bytes)).error != 0) return;
  }
}

// An echo server on host "server"; returns when it listens.
void start_server() {
  const auto on = sim::network().host("server");
  auto listener = net::TcpListener::listen(":7");
  go([listener = std::move(listener)]() mutable {
    for (;;) {
      go([stream = listener.accept()]() mutable { echo(std::move(stream)); });
    }
  });
}

void expect_ok(const sim::Options& options, UniqueFunction<void()> body) {
  const sim::Result result = sim::search(options, std::move(body));
  EXPECT_TRUE(result.ok()) << result.report();
}

TEST(Network, BytesArriveInOrderAndLate) {
  expect_ok({.seeds = 50}, [] {
    start_server();
    const auto on = sim::network().host("client");
    auto stream = net::TcpStream::connect("server:7");
    std::string sent;
    const TimePoint start = now();
    for (int i = 0; i < 50; ++i) sent += std::to_string(i) + ' ';
    go([&] {
      EXPECT_EQ(stream.write(sent).error, 0);
      stream.shutdown_write();
    });
    std::string received;
    EXPECT_EQ(read_all(stream, received), 0);
    EXPECT_EQ(received, sent);
    EXPECT_GE(now() - start, 100us);
  });
}

TEST(Network, OneSeedIsOneRun) {
  const auto once = [](uint64_t seed) {
    const sim::Result result = sim::run({.seed = seed, .network = {.reset = 0.05}}, [] {
      start_server();
      WaitGroup wg;
      for (int i = 0; i < 3; ++i) {
        wg.go([i] {
          auto stream = net::TcpStream::connect("server:7");
          std::string received;
          stream.write(std::string(static_cast<std::size_t>(100 * i + 1), 'x'));
          stream.shutdown_write();
          read_all(stream, received);
        });
      }
      wg.wait();
    });
    EXPECT_TRUE(result.ok()) << result.report();
    return result.hash;
  };
  std::set<uint64_t> hashes;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    hashes.insert(once(seed));
    EXPECT_TRUE(hashes.contains(once(seed))) << "seed " << seed;
  }
  EXPECT_EQ(hashes.size(), 20U);
}

TEST(Network, AddressesAndErrorsAreThoseOfTcp) {
  expect_ok({.seeds = 5}, [] {
    auto listener = net::TcpListener::listen("127.0.0.1:0");
    EXPECT_EQ(listener.address(), "127.0.0.1:" + std::to_string(listener.port()));
    EXPECT_THROW(net::TcpListener::listen(listener.address()), Error);
    auto stream = net::TcpStream::connect(listener.address());
    auto accepted = listener.accept();
    EXPECT_EQ(stream.peer(), listener.address());
    EXPECT_EQ(accepted.peer(), stream.local());
    EXPECT_EQ(net::resolve("localhost", 5).at(0).host(), "127.0.0.1");
    EXPECT_THROW(net::TcpStream::connect("nobody:1"), Error);
    EXPECT_THROW(net::TcpStream::connect("localhost:1"), Error);
    stream.close();
    char byte = 0;
    EXPECT_EQ(stream.read({&byte, 1}).error, EBADF);
    EXPECT_EQ(accepted.read({&byte, 1}).error, 0);
    listener.close();
    EXPECT_THROW(listener.accept(), Error);
  });
}

TEST(Network, DeadlinesAndContextsEndWaits) {
  expect_ok({.seeds = 20}, [] {
    start_server();
    auto stream = net::TcpStream::connect("server:7");
    char byte = 0;
    const TimePoint start = now();
    EXPECT_EQ(stream.read({&byte, 1}, start + 1s).error, ETIMEDOUT);
    EXPECT_EQ(now(), start + 1s);
    const CancelScope scope(1s);
    EXPECT_EQ(stream.read({&byte, 1}).error, ECANCELED);
    EXPECT_EQ(now(), start + 2s);
  });
}

TEST(Network, PipesInMemoryWorkThere) {
  expect_ok({.seeds = 100, .max_steps = 20'000}, [] {
    auto [a, b] = net::pipe();
    WaitGroup wg;
    for (int i = 0; i < 2; ++i) {
      wg.go([&a = a] { EXPECT_EQ(a.write("hello").error, 0); });
    }
    wg.go([&b = b] {
      std::string received;
      char buffer[3];
      while (received.size() < 10) {
        const net::IoResult got = b.read(buffer);
        received.append(buffer, got.bytes);
      }
      EXPECT_EQ(received, "hellohello");
      b.close();
    });
    wg.wait();
    EXPECT_EQ(a.write("x").error, EPIPE);
  });
}

TEST(Network, ASlowReaderHoldsTheWriter) {
  expect_ok({.seeds = 20, .network = {.slow = 0, .buffer = 1000}}, [] {
    auto listener = net::TcpListener::listen("127.0.0.1:9");
    auto stream = net::TcpStream::connect("127.0.0.1:9");
    auto accepted = listener.accept();
    EXPECT_EQ(stream.write(std::string(1000, 'x'), now() + 1s).error, 0);
    const net::IoResult stuck = stream.write(std::string_view("yz"), now() + 1s);
    EXPECT_EQ(stuck.error, ETIMEDOUT);
    EXPECT_EQ(stuck.bytes, 0U);
  });
}

TEST(Network, APartitionHoldsEverythingUntilItHeals) {
  expect_ok({.seeds = 50}, [] {
    start_server();
    sim::Network& net = sim::network();
    const auto on = net.host("client");
    auto stream = net::TcpStream::connect("server:7");
    net.partition("client", "server");
    EXPECT_EQ(stream.write(std::string_view("hello")).error, 0);
    char buffer[5];
    EXPECT_EQ(stream.read(buffer, now() + 1h).error, ETIMEDOUT);
    EXPECT_THROW(net::TcpStream::connect("server:7", {.deadline = now() + 1s}), DeadlineExceeded);
    const TimePoint before = now();
    EXPECT_THROW(net::TcpStream::connect("server:7"), Error);
    EXPECT_EQ(now() - before, 127s);
    go([&] {
      sleep(1min);
      net.heal("client", "server");
    });
    std::string received;
    while (received.size() < 5) {
      const net::IoResult got = stream.read(buffer, now() + 1h);
      ASSERT_EQ(got.error, 0);
      received.append(buffer, got.bytes);
    }
    EXPECT_EQ(received, "hello");
  });
}

TEST(Network, AnIsolatedHostTalksToItself) {
  expect_ok({.seeds = 5}, [] {
    start_server();
    sim::network().isolate("server");
    EXPECT_THROW(net::TcpStream::connect("server:7", {.deadline = now() + 1s}), DeadlineExceeded);
    const auto on = sim::network().host("server");
    EXPECT_TRUE(net::TcpStream::connect("server:7"));
    sim::network().heal();
  });
}

TEST(Network, ConnectionsBreakAndAreRefusedBySeed) {
  int refused = 0;
  int broken = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const sim::Result result = sim::run({.seed = seed, .network = {.refuse = 0.3, .reset = 0.3}}, [&] {
      start_server();
      try {
        auto stream = net::TcpStream::connect("server:7");
        char byte = 'x';
        const bool lost =
            stream.write({&byte, 1}).error == ECONNRESET || stream.read({&byte, 1}).error == ECONNRESET;
        broken += lost ? 1 : 0;
      } catch (const Error&) {
        ++refused;
      }
    });
    EXPECT_TRUE(result.ok()) << result.report();
  }
  EXPECT_NEAR(refused, 30, 20);
  EXPECT_NEAR(broken, 35, 25);
  expect_ok({.seeds = 5}, [] {
    start_server();
    auto stream = net::TcpStream::connect("server:7");
    sim::network().reset("main", "server");
    char byte = 0;
    EXPECT_EQ(stream.read({&byte, 1}).error, ECONNRESET);
  });
}

TEST(Network, ConnectionsOvertakeEachOther) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    std::string order;
    EXPECT_TRUE(sim::run({.seed = seed}, [&] {
                  auto listener = net::TcpListener::listen("127.0.0.1:9");
                  auto a = net::TcpStream::connect("127.0.0.1:9");
                  auto from_a = listener.accept();
                  auto b = net::TcpStream::connect("127.0.0.1:9");
                  auto from_b = listener.accept();
                  a.write(std::string_view("a"));
                  b.write(std::string_view("b"));
                  WaitGroup wg;
                  for (net::TcpStream* stream : {&from_a, &from_b}) {
                    wg.go([&, stream] {
                      char byte = 0;
                      EXPECT_EQ(stream->read({&byte, 1}).bytes, 1U);
                      order += byte;
                    });
                  }
                  wg.wait();
                }).ok());
    orders.insert(order);
  }
  EXPECT_EQ(orders, (std::set<std::string>{"ab", "ba"}));
}

TEST(Network, RealSocketsAreRefused) {
  const sim::Result result = sim::run({}, [] {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    EXPECT_THROW(net::Socket{pair[0]}, Error);
    EXPECT_THROW(net::Socket{pair[1]}, Error);
  });
  EXPECT_TRUE(result.ok()) << result.report();
  run([] { EXPECT_THROW(sim::network(), Error); });
}

}  // namespace
}  // namespace degu
