// What the tests by section of RFC 9113 share: a server, and faults in tables.
#pragma once

#include <degu/http/server.h>
#include <degu/http/testing/frame_client.h>
#include <degu/net/tcp.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace degu::testing::http2 {

/// RFC 9113 section 7.
enum ErrorCode : uint32_t {
  kNoError,
  kProtocolError,
  kInternalError,
  kFlowControlError,
  kSettingsTimeout,
  kStreamClosed,
  kFrameSizeError,
  kRefusedStream,
  kCancel,
  kCompressionError,
};

inline constexpr uint8_t kEndStream = FrameClient::kEndStream;
inline constexpr uint8_t kEndHeaders = FrameClient::kEndHeaders;
inline constexpr uint8_t kPadded = FrameClient::kPadded;
inline constexpr uint8_t kPriorityFlag = 0x20;
inline constexpr uint8_t kWhole = kEndStream | kEndHeaders;

/// A server that has something to say to each test. Its own goroutine serves.
class ConformanceServer {
 public:
  ConformanceServer() : listener_(net::TcpListener::listen("127.0.0.1:0")), server_(router()) {
    done_.go([this] { server_.serve(listener_); });
  }
  ~ConformanceServer() {
    server_.shutdown(std::chrono::seconds(5));
    done_.wait();
  }
  std::string address() const { return listener_.address(); }
  http::Server& server() { return server_; }

 private:
  static http::Router router() {
    http::Router router;
    router.get("/ping", [](http::Exchange& c) { c.text(200, "pong"); });
    router.post("/echo", [](http::Exchange& c) { c.raw(200, "text/plain", std::string(c.body())); });
    router.get("/large", [](http::Exchange& c) { c.raw(200, "text/plain", std::string(200'000, 'x')); });
    router.get("/fields", [](http::Exchange& c) {
      c.text(200, std::string(c.header("x-a")) + "|" + std::string(c.header("x-b")));
    });
    router.get("/cookie", [](http::Exchange& c) { c.text(200, c.header("cookie")); });
    router.get("/head", [](http::Exchange& c) {
      for (const char* const name :
           {"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"}) {
        EXPECT_THROW(c.set_header(name, "x"), Error) << name;
      }
      c.set_header("X-Upper", "1");
      c.set_header("X-Space", " a\t");
      c.add_header("X-Spaces", " b ");
      c.text(200, "x");
    });
    return router;
  }

  net::TcpListener listener_;
  http::Server server_;
  WaitGroup done_;
};

inline std::string frame(uint8_t type, uint8_t flags, uint32_t id, std::string_view payload) {
  return FrameClient::frame(type, flags, id, payload);
}
inline std::string number(uint64_t value, int bytes = 4) { return FrameClient::number(value, bytes); }
inline std::string setting(uint16_t id, uint32_t value) { return number(id, 2) + number(value); }
inline std::string settings(const std::string& entries) {
  return frame(FrameClient::kSettings, 0, 0, entries);
}
inline Fields get(std::string_view path, const Fields& more = {}) {
  return FrameClient::request("GET", path, more);
}
inline Fields post(std::string_view path, const Fields& more = {}) {
  return FrameClient::request("POST", path, more);
}
inline std::string ping_head() { return FrameClient::block(get("/ping")); }
/// Requests on stream 1: whole, and without its body.
inline std::string whole_request() { return frame(FrameClient::kHeaders, kWhole, 1, ping_head()); }
inline std::string open_request() {
  return frame(FrameClient::kHeaders, kEndHeaders, 1, FrameClient::block(post("/echo")));
}

/// Bytes that a client sends behind its preface, and what comes of them.
struct Fault {
  const char* section;
  const char* name;
  std::string bytes;
  std::vector<uint32_t> codes;  ///< any of them
};

/// Each ends its connection with GOAWAY (section 5.4.1), and no other.
inline void expect_connection_errors(const std::vector<Fault>& faults) {
  ConformanceServer server;
  FrameClient beside(server.address());
  for (const Fault& fault : faults) {
    const std::string name = std::string(fault.section) + ": " + fault.name;
    FrameClient client(server.address());
    client.send_raw(fault.bytes);
    EXPECT_TRUE(client.wait_for_end()) << name;
    ASSERT_FALSE(client.goaways.empty()) << name;
    EXPECT_THAT(fault.codes, ::testing::Contains(client.goaways.back().second)) << name;
    EXPECT_EQ(beside.call(get("/ping")).body, "pong") << name;
  }
}

/// Each ends stream 1 with RST_STREAM (section 5.4.2), and nothing else.
inline void expect_stream_errors(const std::vector<Fault>& faults) {
  ConformanceServer server;
  for (const Fault& fault : faults) {
    const std::string name = std::string(fault.section) + ": " + fault.name;
    FrameClient client(server.address());
    client.send_raw(fault.bytes);
    while (!client.answer(1).reset && client.receive()) {
    }
    ASSERT_TRUE(client.answer(1).reset) << name;
    EXPECT_THAT(fault.codes, ::testing::Contains(*client.answer(1).reset)) << name;
    client.send(FrameClient::kHeaders, kWhole, 101, ping_head());
    EXPECT_EQ(client.wait(101).body, "pong") << name;
    EXPECT_TRUE(client.goaways.empty()) << name;
  }
}

/// What follows is taken as if it were not there.
inline void expect_borne(const std::vector<Fault>& frames) {
  ConformanceServer server;
  for (const Fault& borne : frames) {
    const std::string name = std::string(borne.section) + ": " + borne.name;
    FrameClient client(server.address());
    client.send_raw(borne.bytes);
    client.send(FrameClient::kHeaders, kWhole, 101, ping_head());
    EXPECT_EQ(client.wait(101).body, "pong") << name;
    EXPECT_TRUE(client.goaways.empty()) << name;
  }
}

}  // namespace degu::testing::http2
