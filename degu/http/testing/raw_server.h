// RawServer: says over TCP what a test tells it to, right or wrong.
#pragma once

#include <degu/base/error.h>
#include <degu/base/function.h>
#include <degu/net/tcp.h>
#include <degu/sync/wait_group.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>

namespace degu::testing {

/// Every connection is served by a goroutine of its own, which closes it when `talk` returns; the destructor waits for all.
class RawServer {
 public:
  /// `nth` counts connections from 0.
  using Talk = UniqueFunction<void(net::TcpStream& stream, int nth)>;

  explicit RawServer(Talk talk) : listener_(net::TcpListener::listen("127.0.0.1:0")), talk_(std::move(talk)) {
    done_.go([this] { accept_all(); });
  }
  ~RawServer() {
    listener_.interrupt();
    done_.wait();
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::string address() const { return listener_.address(); }
  std::string url(std::string_view path = "/") const { return "http://" + address() + std::string(path); }
  int connections() const { return connections_.load(); }

 private:
  void accept_all() {
    try {
      for (;;) {
        done_.go([this, stream = listener_.accept(), nth = connections_++]() mutable { talk_(stream, nth); });
      }
    } catch (const Error&) {
      return;  // interrupted
    }
  }

  net::TcpListener listener_;
  Talk talk_;
  std::atomic<int> connections_{0};
  WaitGroup done_;
};

inline bool send(net::TcpStream& stream, std::string_view text) {
  return stream.write({text.data(), text.size()}, now() + std::chrono::seconds(10)).error == 0;
}

/// What comes until the other side closes, or until `enough` has come.
inline std::string receive(net::TcpStream& stream, std::string_view enough = "\r\n\r\n") {
  std::string text;
  std::array<char, 4096> part;
  while (text.find(enough) == std::string::npos) {
    const net::IoResult result = stream.read(part, now() + std::chrono::seconds(10));
    if (result.bytes == 0) return text;
    text.append(part.data(), result.bytes);
  }
  return text;
}

/// Until the other side closes.
inline void wait_for_close(net::TcpStream& stream) { receive(stream, "\x01 never"); }

}  // namespace degu::testing
