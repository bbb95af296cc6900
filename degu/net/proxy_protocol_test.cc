#include <degu/net/proxy_protocol.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <string>

namespace degu::net {
namespace {

using namespace std::chrono_literals;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string header(char command, char family, const std::string& rest) {
  return kSignature + command + family + static_cast<char>(rest.size() >> 8) +
         static_cast<char>(rest.size() & 255) + rest;
}

std::string tcp4_addresses() { return std::string("\xCB\x00\x71\x07\x0A\x00\x00\x01\x30\x39\x01\xBB", 12); }

std::string tcp6_addresses() {
  std::string peer(16, '\0'), local(16, '\0');
  peer[0] = 0x20, peer[1] = 0x01, peer[2] = 0x0d, peer[3] = static_cast<char>(0xb8), peer[15] = 7;
  local[15] = 1;
  return peer + local + std::string("\x30\x39\x01\xBB", 4);
}

struct Outcome {
  std::string text;
  int error = 0;
  std::string peer;
  std::string local;
  std::string plain_peer;
};

// What a server behind a proxy makes of `bytes`, sent in pieces of that size.
Outcome receive(const std::string& bytes, std::size_t piece = 10'000) {
  Outcome outcome;
  run([&] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    TcpStream client = TcpStream::connect(listener.address());
    outcome.plain_peer = client.local();
    TcpStream server = behind_proxy(listener.accept());
    WaitGroup sending;
    sending.go([&client, &bytes, piece] {
      for (std::size_t at = 0; at < bytes.size(); at += piece) client.write(bytes.substr(at, piece));
      client.shutdown_write();
    });
    std::array<char, 64> into;
    while (true) {
      const IoResult got = server.read(into, now() + 10s);
      outcome.text.append(into.data(), got.bytes);
      outcome.error = got.error;
      if (got.bytes == 0) break;
    }
    sending.wait();
    outcome.peer = server.peer();
    outcome.local = server.local();
  });
  return outcome;
}

TEST(ProxyProtocol, TellsWhomAConnectionComesFrom) {
  const std::string extensions = std::string("\x04\x00\x03zzz", 6);
  for (const std::size_t piece : {1U, 7U, 10'000U}) {
    Outcome got = receive(header(0x21, 0x11, tcp4_addresses() + extensions) + "hello", piece);
    EXPECT_EQ(got.error, 0);
    EXPECT_EQ(got.text, "hello");
    EXPECT_EQ(got.peer, "203.0.113.7:12345");
    EXPECT_EQ(got.local, "10.0.0.1:443");
    got = receive(header(0x21, 0x21, tcp6_addresses()) + "hello", piece);
    EXPECT_EQ(got.text, "hello");
    EXPECT_EQ(got.peer, "[2001:db8::7]:12345");
    EXPECT_EQ(got.local, "[::1]:443");
  }
}

TEST(ProxyProtocol, TakesTheHeaderBeforeAnythingIsRead) {
  run([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    TcpStream client = TcpStream::connect(listener.address());
    TcpStream server = behind_proxy(listener.accept());
    const std::string bytes = header(0x21, 0x11, tcp4_addresses());
    client.write(bytes.substr(0, 20));
    EXPECT_EQ(take_proxy_header(server, now() + 10ms), ETIMEDOUT);
    EXPECT_EQ(server.peer(), client.local());
    client.write(bytes.substr(20));
    for (int i = 0; i < 2; ++i) EXPECT_EQ(take_proxy_header(server, now() + 10s), 0);
    EXPECT_EQ(server.peer(), "203.0.113.7:12345");
    client.write("hello");
    std::array<char, 64> into;
    EXPECT_EQ(server.read(into, now() + 10s).bytes, 5U);
    EXPECT_EQ(take_proxy_header(client, now() + 10s), 0);  // it has none
    TcpStream liar = TcpStream::connect(listener.address());
    TcpStream doubting = behind_proxy(listener.accept());
    liar.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(take_proxy_header(doubting, now() + 10s), EPROTO);
  });
}

TEST(ProxyProtocol, KeepsTheAddressOfWhoSpeaksForItself) {
  for (const std::string& bytes :
       {header(0x20, 0x00, ""), header(0x20, 0x11, tcp4_addresses()), header(0x21, 0x00, "whatever"),
        header(0x21, 0x31, std::string(216, 'u'))}) {
    const Outcome got = receive(bytes + "hello");
    EXPECT_EQ(got.text, "hello");
    EXPECT_EQ(got.peer, got.plain_peer);
  }
}

TEST(ProxyProtocol, RefusesWhatIsNoHeader) {
  const std::string long_rest(3000, 'x');
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), std::string("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"),
        std::string("short"), std::string(), header(0x11, 0x11, tcp4_addresses()),
        header(0x22, 0x11, tcp4_addresses()), header(0x21, 0x11, "too short"),
        header(0x21, 0x21, tcp4_addresses()), header(0x21, 0x11, long_rest),
        header(0x21, 0x11, tcp4_addresses()).substr(0, 20)}) {
    const Outcome got = receive(bytes);
    EXPECT_EQ(got.error, EPROTO) << bytes.size();
    EXPECT_EQ(got.text, "");
    EXPECT_EQ(got.peer, got.plain_peer);
  }
}

TEST(ProxyProtocol, ADeadlineLosesNothing) {
  run([] {
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    TcpStream client = TcpStream::connect(listener.address());
    TcpStream server = behind_proxy(listener.accept());
    const std::string bytes = header(0x21, 0x11, tcp4_addresses()) + "hello";
    client.write(bytes.substr(0, 14));
    std::array<char, 64> into;
    EXPECT_EQ(server.read(into, now() + 10ms).error, ETIMEDOUT);
    client.write(bytes.substr(14));
    EXPECT_EQ(server.read(into, now() + 10s).bytes, 5U);
    EXPECT_EQ(server.peer(), "203.0.113.7:12345");
  });
}

}  // namespace
}  // namespace degu::net
