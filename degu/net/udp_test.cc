#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/udp.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <string>

namespace degu::net {
namespace {

using namespace std::chrono_literals;

TEST(UdpSocket, AnswersWhoeverAsks) {
  all_shapes([] {
    UdpSocket server = UdpSocket::bind("127.0.0.1:0");
    WaitGroup group;
    constexpr int kClients = 8;
    group.go([&] {
      for (int i = 0; i < kClients; ++i) {
        char bytes[100];
        const UdpSocket::Received got = server.recv_from(bytes);
        EXPECT_EQ(got.result.error, 0);
        EXPECT_EQ(server.send_to({bytes, got.result.bytes}, got.from).bytes, got.result.bytes);
      }
    });
    for (int i = 0; i < kClients; ++i) {
      group.go([&, i] {
        UdpSocket client = UdpSocket::connect(to_string(server.local()));
        EXPECT_EQ(client.peer(), server.local());
        const std::string text = std::to_string(i);
        EXPECT_EQ(client.send(text).error, 0);
        char bytes[100];
        const IoResult got = client.recv(bytes);
        EXPECT_EQ(std::string(bytes, got.bytes), text);
      });
    }
    group.wait();
  });
}

TEST(UdpSocket, KeepsTheBoundsOfDatagrams) {
  run([] {
    UdpSocket server = UdpSocket::bind("127.0.0.1:0");
    UdpSocket client = UdpSocket::bind("127.0.0.1:0");
    EXPECT_EQ(client.send_to({}, server.local()).error, 0);
    EXPECT_EQ(client.send_to(std::string("0123456789"), server.local()).bytes, 10U);
    char bytes[4];
    const UdpSocket::Received empty = server.recv_from(bytes);
    EXPECT_EQ(empty.result.error, 0);
    EXPECT_EQ(empty.result.bytes, 0U);
    EXPECT_EQ(empty.from, client.local());
    const UdpSocket::Received cut = server.recv_from(bytes);
    EXPECT_TRUE(cut.truncated);
    EXPECT_EQ(std::string(bytes, cut.result.bytes), "0123");
    EXPECT_EQ(client.send_to(std::string(70'000, 'x'), server.local()).error, EMSGSIZE);
  });
}

TEST(UdpSocket, DeadlinesContextAndCloseEndAWait) {
  run([] {
    UdpSocket socket = UdpSocket::bind("127.0.0.1:0");
    char bytes[4];
    EXPECT_EQ(socket.recv_from(bytes, now() + 5ms).result.error, ETIMEDOUT);
    WaitGroup group;
    group.go([&] { socket.set_read_deadline(TimePoint(1ns)); });
    EXPECT_EQ(socket.recv_from(bytes).result.error, ETIMEDOUT);
    group.wait();
    socket.set_read_deadline(kNever);
    {
      CancelScope scope;
      group.go([&] { scope.cancel(); });
      EXPECT_EQ(socket.recv_from(bytes).result.error, ECANCELED);
    }
    group.wait();
    group.go([&] { socket.close(); });
    EXPECT_EQ(socket.recv_from(bytes).result.error, EBADF);
    group.wait();
    EXPECT_EQ(UdpSocket().send(bytes).error, EBADF);
  });
}

TEST(UdpSocket, AnotherBindFails) {
  run([] {
    UdpSocket socket = UdpSocket::bind("127.0.0.1:0");
    try {
      UdpSocket::bind(to_string(socket.local()));
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kAlreadyExists);
    }
  });
}

}  // namespace
}  // namespace degu::net
