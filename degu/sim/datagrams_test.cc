#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/udp.h>
#include <degu/rt/run.h>
#include <degu/sim/sim.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace degu {
namespace {

constexpr sim::NetworkOptions kReliable{.loss = 0, .duplicate = 0};

void expect_ok(const sim::Options& options, UniqueFunction<void()> body) {
  const sim::Result result = sim::search(options, std::move(body));
  EXPECT_TRUE(result.ok()) << result.report();
}

// Sends what it gets back, on host "server", until the run ends.
void start_echo() {
  const auto on = sim::network().host("server");
  go([socket = net::UdpSocket::bind(":7")]() mutable {
    char buffer[100];
    for (;;) {
      const auto got = socket.recv_from(buffer);
      EXPECT_EQ(got.result.error, 0);
      EXPECT_EQ(socket.send_to({buffer, got.result.bytes}, got.from).error, 0);
    }
  });
}

// What of 20 numbered datagrams arrives, in its order.
std::vector<int> numbers(uint64_t seed, const sim::NetworkOptions& options, uint64_t* hash = nullptr) {
  std::vector<int> received;
  const sim::Result result = sim::run({.seed = seed, .network = options}, [&] {
    net::UdpSocket receiver = net::UdpSocket::bind("127.0.0.1:0");
    net::UdpSocket sender = net::UdpSocket::bind("127.0.0.1:0");
    for (int i = 0; i < 20; ++i) {
      const char number = static_cast<char>(i);
      EXPECT_EQ(sender.send_to({&number, 1}, receiver.local()).bytes, 1U);
    }
    char number = 0;
    while (receiver.recv({&number, 1}, now() + 1s).error == 0) received.push_back(number);
  });
  EXPECT_TRUE(result.ok()) << result.report();
  if (hash != nullptr) *hash = result.hash;
  return received;
}

TEST(Datagrams, WhoAsksAgainIsAnswered) {
  expect_ok({.seeds = 50}, [] {
    start_echo();
    const auto on = sim::network().host("client");
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.go([i] {
        net::UdpSocket socket = net::UdpSocket::connect("server:7");
        EXPECT_EQ(net::to_string(socket.peer()).substr(0, 5), "10.0.");
        const std::string sent = std::to_string(i);
        char buffer[100];
        net::IoResult got{0, ETIMEDOUT};
        while (got.error == ETIMEDOUT) {
          EXPECT_EQ(socket.send(sent).error, 0);
          got = socket.recv(buffer, now() + 100ms);
        }
        EXPECT_EQ(std::string(buffer, got.bytes), sent);
      });
    }
    wg.wait();
  });
}

TEST(Datagrams, AreLostDoubledAndOvertaken) {
  int lost = 0;
  int doubled = 0;
  int overtaken = 0;
  constexpr int kSeeds = 100;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    uint64_t first = 0;
    uint64_t second = 0;
    const std::vector<int> received = numbers(seed, {}, &first);
    EXPECT_EQ(received, numbers(seed, {}, &second)) << "seed " << seed;
    EXPECT_EQ(first, second) << "seed " << seed;
    const auto different = static_cast<int>(std::set<int>(received.begin(), received.end()).size());
    lost += 20 - different;
    doubled += static_cast<int>(received.size()) - different;
    overtaken += std::is_sorted(received.begin(), received.end()) ? 0 : 1;
  }
  EXPECT_NEAR(lost, 20 * kSeeds / 20, 60);
  EXPECT_NEAR(doubled, 20 * kSeeds / 20, 60);
  EXPECT_GT(overtaken, kSeeds / 2);
}

TEST(Datagrams, WithoutChanceAllArriveInOrder) {
  std::vector<int> all(20);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
  for (uint64_t seed = 1; seed <= 10; ++seed)
    EXPECT_EQ(numbers(seed, {.min_latency = 1ms, .max_latency = 1ms, .loss = 0, .duplicate = 0}), all);
}

TEST(Datagrams, NobodyThereIsToldToConnectedOnes) {
  expect_ok({.seeds = 10, .network = kReliable}, [] {
    net::UdpSocket socket = net::UdpSocket::connect("127.0.0.1:9");
    EXPECT_EQ(socket.send("hello").error, 0);
    char buffer[10];
    EXPECT_EQ(socket.recv(buffer, now() + 1s).error, ECONNREFUSED);
    EXPECT_EQ(socket.recv(buffer, now() + 1s).error, ETIMEDOUT);
    net::UdpSocket other = net::UdpSocket::bind("127.0.0.1:0");
    EXPECT_EQ(other.send_to("hello", net::Address::parse("127.0.0.1:9")).error, 0);
    EXPECT_EQ(other.recv(buffer, now() + 1s).error, ETIMEDOUT);
  });
}

TEST(Datagrams, APartitionLosesThem) {
  expect_ok({.seeds = 20, .network = kReliable}, [] {
    start_echo();
    const auto on = sim::network().host("client");
    net::UdpSocket socket = net::UdpSocket::connect("server:7");
    char buffer[10];
    sim::network().partition("client", "server");
    EXPECT_EQ(socket.send("a").error, 0);
    sim::network().heal();
    EXPECT_EQ(socket.recv(buffer, now() + 1s).error, ETIMEDOUT);
    EXPECT_EQ(socket.send("b").error, 0);
    sim::network().isolate("server");  // under way
    sim::network().heal();
    EXPECT_EQ(socket.recv(buffer, now() + 1s).error, ETIMEDOUT);
    EXPECT_EQ(socket.send("c").error, 0);
    EXPECT_EQ(socket.recv(buffer, now() + 1s).bytes, 1U);
    EXPECT_EQ(buffer[0], 'c');
  });
}

TEST(Datagrams, HaveBoundsAndSocketsAnEnd) {
  expect_ok({.seeds = 10, .network = kReliable}, [] {
    net::UdpSocket server = net::UdpSocket::bind("127.0.0.1:5");
    EXPECT_EQ(net::to_string(server.local()), "127.0.0.1:5");
    EXPECT_THROW(net::UdpSocket::bind("127.0.0.1:5"), Error);
    EXPECT_THROW(net::UdpSocket::connect("10.9.9.9:5"), Error);
    net::UdpSocket client = net::UdpSocket::connect("127.0.0.1:5");
    EXPECT_EQ(client.send_to("x", server.local()).error, EISCONN);
    EXPECT_EQ(server.send("x").error, EDESTADDRREQ);
    EXPECT_EQ(client.send(std::string(70'000, 'x')).error, EMSGSIZE);
    EXPECT_EQ(client.send("0123456789").bytes, 10U);
    char buffer[4];
    const net::UdpSocket::Received cut = server.recv_from(buffer);
    EXPECT_TRUE(cut.truncated);
    EXPECT_EQ(std::string(buffer, cut.result.bytes), "0123");
    EXPECT_EQ(cut.from, client.local());
    // The connected one hears its peer only.
    EXPECT_EQ(net::UdpSocket::bind("127.0.0.1:0").send_to("x", client.local()).error, 0);
    EXPECT_EQ(client.recv(buffer, now() + 1s).error, ETIMEDOUT);

    WaitGroup wg;
    wg.go([&] { EXPECT_EQ(server.recv_from(buffer).result.error, EBADF); });
    {
      const CancelScope scope(1s);
      EXPECT_EQ(client.recv(buffer).error, ECANCELED);
    }
    server.close();
    wg.wait();
    EXPECT_NO_THROW(net::UdpSocket::bind("127.0.0.1:5"));
  });
}

TEST(Datagrams, WhatTheReceiverDoesNotTakeIsDropped) {
  sim::NetworkOptions small = kReliable;
  small.buffer = 1000;
  expect_ok({.seeds = 5, .network = small}, [] {
    net::UdpSocket receiver = net::UdpSocket::bind("127.0.0.1:0");
    net::UdpSocket sender = net::UdpSocket::bind("127.0.0.1:0");
    for (int i = 0; i < 30; ++i) EXPECT_EQ(sender.send_to(std::string(100, 'x'), receiver.local()).error, 0);
    int received = 0;
    char buffer[100];
    while (receiver.recv(buffer, now() + 1s).error == 0) ++received;
    EXPECT_EQ(received, 10);
  });
}

}  // namespace
}  // namespace degu
