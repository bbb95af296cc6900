// FrameServer: the server's end of an HTTP/2 connection that sends what a test tells it to, frame by frame, right or wrong.
#pragma once

#include <degu/http/testing/frame_client.h>
#include <degu/net/tcp.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::testing {

/// Belongs to one goroutine: that of RawServer::Talk. Fields are sent as literals; those of requests are unpacked.
class FrameServer {
 public:
  using Type = FrameClient::Type;
  using Flag = FrameClient::Flag;

  /// One parameter of SETTINGS.
  static std::string setting(uint16_t id, uint32_t value) {
    return FrameClient::number(id, 2) + FrameClient::number(value, 4);
  }

  /// Reads the preface and sends SETTINGS.
  explicit FrameServer(net::TcpStream& stream, std::string_view settings = {}) : stream_(stream) {
    if (fill(FrameClient::kPreface.size())) input_.erase(0, FrameClient::kPreface.size());
    send(FrameClient::kSettings, 0, 0, settings);
  }
  FrameServer(const FrameServer&) = delete;
  FrameServer& operator=(const FrameServer&) = delete;

  /// False: the client does not take it any more.
  bool send_raw(std::string_view bytes) {
    return stream_.write({bytes.data(), bytes.size()}, now() + std::chrono::seconds(5)).error == 0;
  }
  bool send(uint8_t type, uint8_t flags, uint32_t id, std::string_view payload) {
    return send_raw(FrameClient::frame(type, flags, id, payload));
  }

  /// What answers a request: the head, and a body unless it is empty.
  void answer(uint32_t id, Fields fields, std::string_view body = {}) {
    send_head(id, std::move(fields), body.empty());
    if (!body.empty()) send(FrameClient::kData, FrameClient::kEndStream, id, body);
  }
  void answer(uint32_t id, std::string_view body = {}) { answer(id, {{":status", "200"}}, body); }
  void send_head(uint32_t id, Fields fields, bool ends = false) {
    send(FrameClient::kHeaders,
         static_cast<uint8_t>(FrameClient::kEndHeaders | (ends ? FrameClient::kEndStream : 0)), id,
         FrameClient::block(fields));
  }
  void reset(uint32_t id, uint32_t code) { send(FrameClient::kReset, 0, id, FrameClient::number(code, 4)); }
  void goaway(uint32_t last, uint32_t code) {
    send(FrameClient::kGoaway, 0, 0, FrameClient::number(last, 4) + FrameClient::number(code, 4));
  }

  /// The stream of the next request; 0 when the client has gone. What comes before is in `frames`.
  uint32_t next_request() {
    const auto got = wait_for(FrameClient::kHeaders);
    if (!got) return 0;
    request = unpacker_.unpack(got->payload);
    return got->stream;
  }
  /// The next frame of that type; nothing when the client has gone. Acknowledges SETTINGS and PING on the way.
  std::optional<Frame> wait_for(uint8_t type) {
    while (auto got = receive()) {
      if (got->type == type) return got;
    }
    return std::nullopt;
  }
  /// The next frame; nothing when the client has gone.
  std::optional<Frame> receive() {
    if (!fill(9)) return std::nullopt;
    const std::size_t size = read_number(0, 3);
    if (!fill(9 + size)) return std::nullopt;
    Frame got{static_cast<uint8_t>(input_[3]), static_cast<uint8_t>(input_[4]),
              static_cast<uint32_t>(read_number(5, 4)), input_.substr(9, size)};
    input_.erase(0, 9 + size);
    const bool ack = (got.flags & FrameClient::kAck) != 0;
    if (answers && !ack && got.type == FrameClient::kSettings) send(got.type, FrameClient::kAck, 0, {});
    if (answers && !ack && got.type == FrameClient::kPing) send(got.type, FrameClient::kAck, 0, got.payload);
    frames.push_back(got);
    return got;
  }
  /// Until the client has gone.
  void wait_for_end() {
    while (receive()) {
    }
  }
  /// The code of the client's GOAWAY, if it came.
  std::optional<uint32_t> goodbye() const {
    for (const Frame& frame : frames) {
      if (frame.type == FrameClient::kGoaway && frame.payload.size() >= 8) return code_in(frame.payload, 4);
    }
    return std::nullopt;
  }
  static uint32_t code_in(std::string_view payload, std::size_t at = 0) {
    uint32_t value = 0;
    for (std::size_t i = at; i < at + 4; ++i) value = value * 256 + static_cast<unsigned char>(payload[i]);
    return value;
  }
  /// Of the last request; "" if absent.
  std::string field(std::string_view name) const {
    for (const auto& [key, value] : request) {
      if (key == name) return value;
    }
    return {};
  }

  Fields request;             ///< fields of the last one
  std::vector<Frame> frames;  ///< all that came
  bool answers = true;        ///< acknowledge SETTINGS and PING

 private:
  std::size_t read_number(std::size_t at, std::size_t bytes) const {
    std::size_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value * 256 + static_cast<unsigned char>(input_[at + i]);
    return value;
  }
  bool fill(std::size_t wanted) {
    std::array<char, 16384> part;
    while (input_.size() < wanted) {
      const net::IoResult got = stream_.read(part, now() + std::chrono::seconds(10));
      if (got.bytes == 0) return false;
      input_.append(part.data(), got.bytes);
    }
    return true;
  }

  net::TcpStream& stream_;
  FieldUnpacker unpacker_;
  std::string input_;
};

}  // namespace degu::testing
