// FrameClient: an HTTP/2 client that sends what a test tells it to, frame by frame, right or wrong.
#pragma once

#include <degu/net/tcp.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::testing {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
};

/// One stream's answer, as far as it has come.
struct Answer {
  int status = 0;
  Fields fields;
  std::string body;
  bool ended = false;
  std::optional<uint32_t> reset;  ///< the code of RST_STREAM

  std::string field(std::string_view name) const {
    for (const auto& [key, value] : fields) {
      if (key == name) return value;
    }
    return {};
  }
};

/// HPACK of one direction of a connection.
class FieldUnpacker {
 public:
  FieldUnpacker() { nghttp2_hd_inflate_new(&inflater_); }
  ~FieldUnpacker() { nghttp2_hd_inflate_del(inflater_); }
  FieldUnpacker(const FieldUnpacker&) = delete;
  FieldUnpacker& operator=(const FieldUnpacker&) = delete;

  /// As far as they make sense.
  Fields unpack(std::string_view block) {
    Fields fields;
    while (true) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(
          inflater_, &field, &flags, reinterpret_cast<const uint8_t*>(block.data()), block.size(), 1);
      if (used < 0) return fields;
      block.remove_prefix(static_cast<std::size_t>(used));
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
        fields.emplace_back(std::string(reinterpret_cast<const char*>(field.name), field.namelen),
                            std::string(reinterpret_cast<const char*>(field.value), field.valuelen));
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return fields;
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

/// Belongs to one goroutine. Fields are sent as literals; those of answers are unpacked by nghttp2.
class FrameClient {
 public:
  enum Type : uint8_t {
    kData,
    kHeaders,
    kPriority,
    kReset,
    kSettings,
    kPush,
    kPing,
    kGoaway,
    kWindow,
    kContinuation
  };
  enum Flag : uint8_t { kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8 };
  static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  /// `upgrade`: a request of HTTP/1.1 that asks for HTTP/2; it is stream 1.
  explicit FrameClient(const std::string& address, std::string_view upgrade = {})
      : stream_(net::TcpStream::connect(address)) {
    if (!upgrade.empty()) {
      send_raw(upgrade);
      next_id_ = 3;
      std::size_t end = std::string::npos;
      while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
        if (!fill(input_.size() + 1, now() + std::chrono::seconds(10))) return;
      }
      switched_ = input_.substr(0, end);
      input_.erase(0, end + 4);
    }
    send_raw(kPreface);
    send(kSettings, 0, 0, {});
  }
  FrameClient(const FrameClient&) = delete;
  FrameClient& operator=(const FrameClient&) = delete;

  net::TcpStream& stream() { return stream_; }
  /// The head of the answer to `upgrade`.
  const std::string& switched() const { return switched_; }

  /// False: the server does not take it any more.
  bool send_raw(std::string_view bytes) {
    return stream_.write({bytes.data(), bytes.size()}, now() + std::chrono::seconds(5)).error == 0;
  }
  bool send(uint8_t type, uint8_t flags, uint32_t id, std::string_view payload) {
    return send_raw(frame(type, flags, id, payload));
  }
  static std::string frame(uint8_t type, uint8_t flags, uint32_t id, std::string_view payload) {
    std::string out;
    put(out, payload.size(), 3);
    put(out, type, 1);
    put(out, flags, 1);
    put(out, id, 4);
    return out.append(payload);
  }
  /// Big-endian.
  static void put(std::string& out, uint64_t value, int bytes) {
    for (int i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i));
  }
  static std::string number(uint64_t value, int bytes) {
    std::string out;
    put(out, value, bytes);
    return out;
  }
  static std::string block(const Fields& fields) {
    std::string out;
    for (const auto& [name, value] : fields) {
      out += '\0';
      put_string(out, name);
      put_string(out, value);
    }
    return out;
  }
  static Fields request(std::string_view method, std::string_view path, const Fields& more = {}) {
    Fields fields{{":method", std::string(method)},
                  {":scheme", "http"},
                  {":path", std::string(path)},
                  {":authority", "a.test"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }

  /// A request on the next stream, whose number it returns. Without `body`: the head alone.
  uint32_t ask(const Fields& fields, std::optional<std::string_view> body = std::string_view()) {
    const uint32_t id = next_id_;
    next_id_ += 2;
    const bool whole = body && body->empty();
    send(kHeaders, static_cast<uint8_t>(kEndHeaders | (whole ? kEndStream : 0)), id, block(fields));
    if (body && !whole) send_body(id, *body);
    return id;
  }
  /// Pieces of at most 16 KiB, as the windows allow.
  void send_body(uint32_t id, std::string_view body, bool end = true) {
    do {
      while (room_ == 0 || stream_room(id) == 0) {
        if (!receive()) return;
      }
      const std::size_t size = std::min(std::initializer_list<std::size_t>{
          body.size(), 16384, static_cast<std::size_t>(room_), static_cast<std::size_t>(stream_room(id))});
      const bool last = size == body.size();
      send(kData, last && end ? kEndStream : 0, id, body.substr(0, size));
      room_ -= static_cast<int64_t>(size);
      stream_rooms_[id] -= static_cast<int64_t>(size);
      body.remove_prefix(size);
    } while (!body.empty());
  }
  void get(std::string_view path) { ask(request("GET", path)); }

  /// Reads until the stream has ended or was reset, or the connection is over.
  const Answer& wait(uint32_t id) {
    while (!answers_[id].ended && !answers_[id].reset && receive()) {
    }
    return answers_[id];
  }
  /// What has come so far.
  const Answer& answer(uint32_t id) { return answers_[id]; }
  Answer call(const Fields& fields, std::string_view body = {}) { return wait(ask(fields, body)); }
  /// Reads until the connection is over; false: it still lasts after `patience`.
  bool wait_for_end(std::chrono::nanoseconds patience = std::chrono::seconds(10)) {
    const TimePoint deadline = now() + patience;
    while (receive(deadline)) {
    }
    return over_;
  }

  /// Reads one frame and does what a client has to. False at the end of the connection, and at the deadline.
  bool receive(TimePoint deadline = now() + std::chrono::seconds(10)) {
    if (!fill(9, deadline)) return false;
    const std::size_t size = read_number(0, 3);
    if (!fill(9 + size, deadline)) return false;
    Frame got{static_cast<uint8_t>(input_[3]), static_cast<uint8_t>(input_[4]),
              static_cast<uint32_t>(read_number(5, 4)), input_.substr(9, size)};
    input_.erase(0, 9 + size);
    handle(got);
    frames.push_back(std::move(got));
    return true;
  }

  std::vector<Frame> frames;
  std::vector<std::pair<uint32_t, uint32_t>> goaways;  ///< last stream and code
  bool give_room = true;                               ///< answer DATA by WINDOW_UPDATE
  bool over() const { return over_; }

 private:
  static void put_string(std::string& out, std::string_view text) {
    std::size_t size = text.size();
    if (size < 127) {
      out += static_cast<char>(size);
    } else {
      out += '\x7f';
      for (size -= 127; size >= 128; size /= 128) out += static_cast<char>(128 + size % 128);
      out += static_cast<char>(size);
    }
    out += text;
  }

  std::size_t read_number(std::size_t at, std::size_t bytes) const {
    std::size_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value * 256 + static_cast<unsigned char>(input_[at + i]);
    return value;
  }

  int64_t stream_room(uint32_t id) { return stream_rooms_.try_emplace(id, 65535).first->second; }

  bool fill(std::size_t wanted, TimePoint deadline) {
    std::array<char, 16384> part;
    while (input_.size() < wanted) {
      const net::IoResult got = stream_.read(part, deadline);
      if (got.bytes == 0) {
        over_ = got.error != ETIMEDOUT;
        return false;
      }
      input_.append(part.data(), got.bytes);
    }
    return true;
  }

  void handle(const Frame& got) {
    const auto number_at = [&](std::size_t at) {
      uint32_t value = 0;
      for (std::size_t i = at; i < at + 4; ++i)
        value = value * 256 + static_cast<unsigned char>(got.payload[i]);
      return value;
    };
    Answer& answer = answers_[got.stream];
    switch (got.type) {
      case kSettings:
        if ((got.flags & kAck) == 0) send(kSettings, kAck, 0, {});
        break;
      case kPing:
        if ((got.flags & kAck) == 0) send(kPing, kAck, 0, got.payload);
        break;
      case kHeaders:
        unpack(got.payload, answer);
        break;
      case kData:
        answer.body += got.payload;
        if (!give_room || got.payload.empty()) break;
        send(kWindow, 0, 0, number(got.payload.size(), 4));
        if ((got.flags & kEndStream) == 0) send(kWindow, 0, got.stream, number(got.payload.size(), 4));
        break;
      case kWindow:
        if (got.stream == 0) {
          room_ += number_at(0);
        } else {
          stream_rooms_[got.stream] = stream_room(got.stream) + number_at(0);
        }
        break;
      case kReset:
        answer.reset = number_at(0);
        break;
      case kGoaway:
        goaways.emplace_back(number_at(0), number_at(4));
        break;
      default:
        break;
    }
    if ((got.type == kHeaders || got.type == kData) && (got.flags & kEndStream) != 0) answer.ended = true;
  }

  void unpack(std::string_view block, Answer& answer) {
    answer.fields = unpacker_.unpack(block);  // those of a 100 do not matter
    std::erase_if(answer.fields, [&](const auto& field) {
      if (field.first != ":status") return false;
      answer.status = std::stoi(field.second);
      return true;
    });
  }

  net::TcpStream stream_;
  FieldUnpacker unpacker_;
  std::string input_;
  std::string switched_;
  std::map<uint32_t, Answer> answers_;
  std::map<uint32_t, int64_t> stream_rooms_;
  int64_t room_ = 65535;
  uint32_t next_id_ = 1;
  bool over_ = false;
};

}  // namespace degu::testing
