// One goroutine reads, many write: each frame is written whole under write_lock_. Reading takes no lock. What the reader has
// to answer, a pong or a Close, it writes itself.
//
// A timer starts a goroutine for each ping, the server's shutdown one that says 1001: a WebSocket that waits has none but its
// reader. A Close that was sent bounds what the reader waits for from then on: the stream's read deadline reaches a reader that
// waits already.
//
// A write that fails may have left half a frame behind: nothing can be sent afterwards, and the reader is woken.
#include <degu/base/error.h>
#include <degu/base/random.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/internal/websocket_core.h>
#include <degu/rt/park.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

namespace degu::http::internal {
namespace {

constexpr std::size_t kReadBytes = 4 * 1024;
constexpr std::size_t kKeepBytes = 64 * 1024;
constexpr std::size_t kMaxReasonBytes = kMaxControlBytes - 2;
constexpr std::chrono::nanoseconds kLastWords = std::chrono::seconds(1);
constexpr std::size_t kLeastBytesPerSecond = 1024;

std::string close_payload(int code, std::string_view reason) {
  std::string payload;
  payload.push_back(static_cast<char>(code >> 8));
  payload.push_back(static_cast<char>(code & 0xFF));
  return payload.append(reason);
}

bool can_deflate(const DeflateWindow& window) noexcept { return window.bits > 8; }

}  // namespace

WebSocketCore::WebSocketCore(net::TcpStream&& stream, WebSocketSetup setup)
    : WebSocketCore(owned_, std::move(setup)) {
  owned_ = std::move(stream);
}

WebSocketCore::WebSocketCore(net::TcpStream& stream, WebSocketSetup setup)
    : stream_(stream),
      side_(setup.side),
      limits_(setup.limits),
      subprotocol_(std::move(setup.subprotocol)),
      parser_({.masked = setup.side == WebSocketSide::kServer,
               .compression = setup.deflate.has_value(),
               .max_payload_bytes = setup.limits.max_message_bytes}),
      buffer_(setup.input.begin(), setup.input.end()),
      input_(buffer_) {
  if (!setup.deflate) return;
  const bool server = side_ == WebSocketSide::kServer;
  const DeflateWindow& ours = server ? setup.deflate->server : setup.deflate->client;
  const DeflateWindow& theirs = server ? setup.deflate->client : setup.deflate->server;
  inflater_.emplace(theirs.takeover);
  if (can_deflate(ours)) deflater_.emplace(ours, limits_.compression.level);
}

WebSocketCore::~WebSocketCore() { stop(); }

void WebSocketCore::start(const Context& draining) {
  auto [context, stop] = with_cancel(current_context());
  stop_keeper_ = std::move(stop);
  const std::lock_guard guard(keeper_->lock);  // what is started here waits until all is in place
  keeper_->context = std::move(context);
  keeper_->core = this;
  at_drain_ = after_func(draining, [keeper = keeper_] { keep(*keeper, &WebSocketCore::say_goodbye); });
  keeper_->armed.add(1);
  if (limits_.ping_interval.count() <= 0) return;
  pinger_ = after_func(limits_.ping_interval, [keeper = keeper_] { keep(*keeper, &WebSocketCore::beat); });
  keeper_->armed.add(1);
}

void WebSocketCore::stop() noexcept {
  {
    const std::lock_guard guard(keeper_->lock);
    keeper_->core = nullptr;
  }
  if (at_drain_.stop()) keeper_->armed.done();
  if (pinger_.stop()) keeper_->armed.done();
  stop_keeper_();
  const Shield shield;
  keeper_->armed.wait();
}

// In a goroutine of its own. In the context of the core's user: once that has ended, nothing is said any more.
void WebSocketCore::keep(Keeper& keeper, void (WebSocketCore::*act)()) noexcept {
  WebSocketCore* core = nullptr;
  {
    const std::lock_guard guard(keeper.lock);
    core = keeper.core;
  }
  try {
    const ContextScope scope(keeper.context);
    keeper.context.check();
    if (core != nullptr) (core->*act)();
  } catch (...) {
    // The context has ended, or there is no memory: without pings the other end may give up.
  }
  keeper.armed.done();
}

void WebSocketCore::beat() {
  if (write_control(Opcode::kPing, {}) != Sent::kYes) return;
  const std::lock_guard guard(keeper_->lock);
  if (keeper_->core == nullptr) return;
  pinger_.reset(limits_.ping_interval);
  keeper_->armed.add(1);
}

void WebSocketCore::say_goodbye() { write_close(1001, "the server is shutting down"); }

// --- Reading

// More input, or end().
void WebSocketCore::fill() {
  buffer_.resize(kReadBytes);
  const TimePoint deadline =
      limits_.idle_timeout.count() > 0 ? after_delay(now(), limits_.idle_timeout) : kNever;
  const net::IoResult result = stream_.read(buffer_, deadline);
  if (result.error == ECANCELED) rt::throw_interrupted();
  input_ = std::span(buffer_).first(result.bytes);
  if (result.bytes == 0) end(1006);
}

void WebSocketCore::end(int code) noexcept {
  if (close_code_ == 0) close_code_ = code;
}

void WebSocketCore::fail(int code, std::string_view reason) {
  end(code);
  write_close(code, reason);
}

std::optional<Message> WebSocketCore::recv() {
  while (close_code_ == 0) {
    switch (parser_.next(input_)) {
      case FrameParser::Event::kNeedInput:
        fill();
        break;
      case FrameParser::Event::kFrame:
        take_frame_head();
        break;
      case FrameParser::Event::kPayload:
        take_payload(parser_.payload());
        break;
      case FrameParser::Event::kFrameEnd:
        if (auto message = take_frame_end()) return message;
        break;
      case FrameParser::Event::kError:
        fail(parser_.error_code(), parser_.error_reason());
    }
  }
  return std::nullopt;
}

void WebSocketCore::take_frame_head() {
  const FrameHead& head = parser_.head();
  control_.clear();
  if (is_control(head.opcode)) return;
  if (head.opcode != Opcode::kContinuation) {
    message_.clear();
    text_ = head.opcode == Opcode::kText;
    compressed_ = head.compressed;
    fragments_ = 0;
    utf8_ = {};
  }
  if (++fragments_ > limits_.max_fragments) {
    fail(1008, "too many fragments");
  } else if (!compressed_ && head.size > limits_.max_message_bytes - message_.size()) {
    fail(1009, "a message is too long");
  }
}

void WebSocketCore::inflate(std::string_view piece, bool last) {
  const auto result = inflater_->inflate(piece, last, message_, limits_.max_message_bytes);
  if (result == MessageInflater::Result::kCorrupt) fail(1007, "a message does not decompress");
  if (result == MessageInflater::Result::kTooLarge) fail(1009, "a message is too long");
}

void WebSocketCore::take_payload(std::string_view piece) {
  if (is_control(parser_.head().opcode)) {
    control_.append(piece);
    return;
  }
  const std::size_t before = message_.size();
  if (compressed_) {
    inflate(piece, false);
  } else {
    message_.append(piece);
  }
  check_text(before);
}

void WebSocketCore::check_text(std::size_t from) {
  if (close_code_ == 0 && text_ && !utf8_.feed(std::string_view(message_).substr(from)))
    fail(1007, "a text is not UTF-8");
}

std::optional<Message> WebSocketCore::take_frame_end() {
  const FrameHead& head = parser_.head();
  if (is_control(head.opcode)) {
    take_control();
    return std::nullopt;
  }
  if (!head.fin) return std::nullopt;
  const std::size_t before = message_.size();
  if (compressed_) inflate({}, true);
  check_text(before);
  if (close_code_ == 0 && text_ && !utf8_.complete()) fail(1007, "a text is not UTF-8");
  if (close_code_ != 0) return std::nullopt;
  return Message{text_, std::exchange(message_, {})};
}

void WebSocketCore::take_control() {
  const Opcode opcode = parser_.head().opcode;
  if (opcode == Opcode::kClose) return take_close();
  if (!glitches_.spend(1)) return fail(1008, "too many pings");
  if (opcode == Opcode::kPing && write_control(Opcode::kPong, control_) == Sent::kLost) end(1006);
}

void WebSocketCore::take_close() {
  if (control_.empty()) {
    write_close(0, {});
    return end(1005);
  }
  const std::string_view reason =
      std::string_view(control_).substr(std::min<std::size_t>(control_.size(), 2));
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(control_[i]); };
  const int code = control_.size() < 2 ? 0 : byte(0) << 8 | byte(1);
  if (!is_close_code(code)) return fail(1002, "no such close code");
  if (!is_utf8(reason)) return fail(1007, "a reason is not UTF-8");
  close_reason_ = reason;
  end(code);
  write_close(code, {});
}

// --- Writing

void WebSocketCore::add_frame(const FrameHead& head, std::string_view payload) {
  std::optional<std::array<uint8_t, 4>> mask;
  if (side_ == WebSocketSide::kClient) {
    // From a good source, so that no page chooses the bytes on the wire (section 10.3).
    mask.emplace();
    secure_random(std::as_writable_bytes(std::span(*mask)));
  }
  append_frame(out_, head, payload, mask);
}

// With write_lock_ held.
WebSocketCore::Sent WebSocketCore::write_out(TimePoint deadline) {
  const net::IoResult result = stream_.write({out_.data(), out_.size()}, deadline);
  out_.clear();
  if (out_.capacity() > kKeepBytes) std::string().swap(out_);
  if (result.error == 0) return Sent::kYes;
  lost_ = true;
  stream_.interrupt();
  if (result.error == ECANCELED) rt::throw_interrupted();
  return Sent::kLost;
}

WebSocketCore::Sent WebSocketCore::write_control(Opcode opcode, std::string_view payload) {
  if (!write_lock_.try_lock_until(kNever))
    return Sent::kLost;  // as lock(), but the end of the context ends it
  const std::lock_guard guard(write_lock_, std::adopt_lock);
  if (lost_) return Sent::kLost;
  if (close_sent_) return Sent::kClosed;
  close_sent_ = opcode == Opcode::kClose;
  add_frame({.opcode = opcode}, payload);
  return write_out(after_delay(now(), limits_.write_timeout));
}

// `code` 0: none.
WebSocketCore::Sent WebSocketCore::write_close(int code, std::string_view reason) {
  const Sent sent = write_control(Opcode::kClose, code == 0 ? std::string() : close_payload(code, reason));
  if (sent == Sent::kYes) stream_.set_read_deadline(after_delay(now(), limits_.close_timeout));
  return sent;
}

void WebSocketCore::throw_unsent(Sent sent) const {
  throw Error(Code::kUnavailable,
              sent == Sent::kClosed ? "the websocket is closed" : "the websocket is lost");
}

void WebSocketCore::send(bool text, std::string_view data) {
  if (text && !is_utf8(data)) throw Error(Code::kInvalidArgument, "a text message is not UTF-8");
  if (!write_lock_.try_lock_until(kNever)) throw_unsent(Sent::kLost);
  const std::lock_guard guard(write_lock_, std::adopt_lock);
  if (lost_ || close_sent_) throw_unsent(lost_ ? Sent::kLost : Sent::kClosed);
  const Opcode opcode = text ? Opcode::kText : Opcode::kBinary;
  const bool packs = deflater_ && !data.empty() && data.size() >= limits_.compression.min_bytes;
  if (packs) {
    packed_.clear();
    deflater_->deflate(data, packed_);
    data = packed_;
  }
  add_frame({.opcode = opcode, .compressed = packs}, data);
  if (packed_.capacity() > kKeepBytes) std::string().swap(packed_);
  const auto patience = limits_.write_timeout + std::chrono::seconds(data.size() / kLeastBytesPerSecond);
  if (write_out(after_delay(now(), patience)) != Sent::kYes) throw_unsent(Sent::kLost);
}

void WebSocketCore::ping(std::string_view payload) {
  if (payload.size() > kMaxControlBytes)
    throw Error(Code::kInvalidArgument, "a ping is longer than 125 bytes");
  if (const Sent sent = write_control(Opcode::kPing, payload); sent != Sent::kYes) throw_unsent(sent);
}

void WebSocketCore::close(int code, std::string_view reason) {
  if (!is_close_code(code)) throw Error(Code::kInvalidArgument, "no code that a Close may carry");
  if (reason.size() > kMaxReasonBytes || !is_utf8(reason))
    throw Error(Code::kInvalidArgument, "the reason of a Close is longer than 123 bytes, or not UTF-8");
  write_close(code, reason);
}

void WebSocketCore::close_now(int code) noexcept {
  try {
    const Shield shield;
    if (!write_lock_.try_lock_until(after_delay(now(), kLastWords))) return;
    const std::lock_guard guard(write_lock_, std::adopt_lock);
    if (lost_ || close_sent_) return;
    close_sent_ = true;
    add_frame({.opcode = Opcode::kClose}, close_payload(code, {}));
    write_out(after_delay(now(), kLastWords));
  } catch (...) {
    return;  // no memory for a word
  }
}

void WebSocketCore::finish() {
  while (recv()) {
  }
}

}  // namespace degu::http::internal
