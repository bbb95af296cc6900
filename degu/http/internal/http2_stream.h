// Http2Stream: one request of an HTTP/2 connection and its response.
#pragma once

#include <degu/base/time.h>
#include <degu/context/context.h>
#include <degu/http/internal/exchange_state.h>
#include <degu/http/internal/http2_request.h>
#include <degu/http/internal/http2_session.h>
#include <degu/net/tcp.h>
#include <degu/sync/cond.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// Guarded by the session's lock, but for `exchange`, which is the handler's while it runs. Used for one request after
/// another, never again while a handler has it.
class Http2Stream final : public ResponseSink {
 public:
  Http2Stream(Http2Session& owner, const ParseLimits& limits) : session(owner), request(limits) {
    exchange.sink = this;
  }

  void start_stream(Exchange::State& state) override;
  void write_piece(Exchange::State&, std::string_view bytes) override { session.send_piece(*this, bytes); }
  std::size_t read_body(Exchange::State& state, std::span<char> into) override {
    return streams_body && !request.is_websocket() ? session.read_piece(*this, into)
                                                   : ResponseSink::read_body(state, into);
  }
  std::string peer() const override { return session.peer(); }
  bool secure() const noexcept override { return session.secure(); }
  std::optional<net::TlsInfo> tls() const override;
  bool stopping() const noexcept override { return session.draining(); }
  Context draining() const override { return session.drain(); }
  Switching switching() const noexcept override {
    return request.is_websocket() ? Switching::kConnect : Switching::kNone;
  }
  net::TcpStream& switch_protocols(Exchange::State& state, std::string_view fields,
                                   std::string& input) override;

  /// Ready for the next request.
  void reset() {
    id = 0;
    request.reset();
    exchange.reset();
    exchange.head = nullptr;
    body.clear();
    if (body.capacity() > kKeep) std::string().swap(body);
    piece.clear();
    trailers.clear();
    sent = 0;
    taken = 0;
    withheld = 0;
    context.reset();
    tunnel = net::TcpStream();
    input_done = head_done = running = answered = ended = streams_body = cut = lingers = false;
    closed.store(false, std::memory_order_relaxed);
    moved = 0;
  }

  static constexpr std::size_t kKeep = 64 * 1024;

  Http2Session& session;
  int32_t id = 0;
  std::size_t index = 0;  // in the session's list
  Http2Request request;
  Exchange::State exchange;
  std::optional<ContextAnd<CancelFunc>> context;
  std::string body;           // of the request
  std::size_t taken = 0;      // bytes of it that a handler has read while it came
  std::string trailers;       // of the request
  std::size_t withheld = 0;   // bytes of it that the stream's window has not got back
  std::string piece;          // of a streamed response, not taken yet
  std::size_t sent = 0;       // of the response's body, or of `piece`
  bool streams_body = false;  // its handler reads `body` while it comes
  bool head_done = false;
  bool input_done = false;
  bool running = false;  // its handler: from when it was queued until the writer has seen that it ended
  std::atomic<bool> closed{
      false};  // as far as the connection is concerned; read without the lock before its turn
  Http2Stream* next_finished = nullptr;  // in the session's stack
  bool answered = false;                 // the response was handed over
  bool ended = false;                    // ... with all of a streamed body
  net::TcpStream tunnel;                 // of a WebSocket; used by its handler alone
  bool cut = false;                      // the tunnel was interrupted
  bool lingers = false;                  // its end was sent, that of its client is waited for
  Cond changed;                          // of its handler: bytes have come or gone, or nothing can follow
  TimePoint started_at{};
  TimePoint progress_at{};  // when bytes of its body came, or went, last
  std::size_t moved = 0;    // bytes since started_at
};

}  // namespace degu::http::internal
