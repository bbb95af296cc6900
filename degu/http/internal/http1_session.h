// Http1Session: what a connection needs while it is served in HTTP/1.1.
#pragma once

#include <degu/http/internal/chunked.h>
#include <degu/http/internal/connection.h>
#include <degu/http/internal/date.h>
#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/read_buffer.h>
#include <degu/http/request_parser.h>
#include <degu/http/server.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// A body that its handler reads. It lies behind the head in the session's `buffer_`, as far as it came with it, and in
/// `more_`.
struct BodyStream {
  std::optional<ChunkedDecoder> decoder;  // without it: sized
  uint64_t left = 0;                      // of a sized one
  std::size_t at = 0;                     // in `buffer_`: what comes next
  std::size_t received = 0;
  TimePoint start{};
  bool wants_continue = false;
  bool done = false;
};

/// A request without a body whose handler may last, and what came behind it.
struct LastingRequest {
  std::string head;
  std::string behind;
};

/// Serves one connection after another, a burst of requests each. Belongs to one goroutine at a time.
class Http1Session final : public ResponseSink {
 public:
  explicit Http1Session(const ConnectionEnv& env) : env_(env) {}
  /// For one busy connection, which goes on with `first`: its buffers are no larger than that needs.
  Http1Session(const ConnectionEnv& env, const LastingRequest& first) : env_(env), own_(true) {
    buffer_.assign(first.head);
    more_.assign(first.behind);
  }

  enum class End : uint8_t {
    kIdle,   ///< the connection is at rest and has nothing to read so far; it is to be parked
    kClose,  ///< it is to be closed
    kHttp2,  ///< its client speaks HTTP/2; take_input() has what came
    kLasting,  ///< take_lasting() has a request for a session of its own, so that this one serves others meanwhile
  };
  /// Answers one request after another, as long as there are some. The context of the handlers is the current one.
  End serve(Connection& connection) noexcept;

  /// After kLasting.
  LastingRequest take_lasting();
  /// After kHttp2: what was read and belongs to nobody yet.
  std::string take_input();

  void start_stream(Exchange::State& state) override;
  void write_piece(Exchange::State& state, std::string_view piece) override;
  std::size_t read_body(Exchange::State& state, std::span<char> into) override;
  std::string peer() const override { return connection_->stream().peer(); }
  bool secure() const noexcept override { return connection_->secured; }
  std::optional<net::TlsInfo> tls() const override;
  bool stopping() const noexcept override { return env_.draining.load(std::memory_order_relaxed); }
  Context draining() const override { return env_.drain; }
  Switching switching() const noexcept override { return Switching::kUpgrade; }
  net::TcpStream& switch_protocols(Exchange::State& state, std::string_view fields,
                                   std::string& input) override;

 private:
  struct Reset;
  enum class Next : uint8_t { kClose, kServe, kIdle, kHttp2, kLasting };

  bool wants_own_session() const noexcept;
  Next serve_one();
  Next read_head();
  Next first_bytes();
  bool may_be_http2() const noexcept;
  bool upgraded_to_http2();
  Next wait_for_request();
  Next take_body();
  Next refuse_body(uint64_t limit);
  void begin_body_stream(std::size_t head_bytes, uint64_t limit);
  std::size_t read_sized_piece(std::span<char> into);
  std::size_t read_chunked_piece(std::span<char> into);
  std::size_t receive_body(std::span<char> into);
  void take_more();
  Next read_sized_body(std::size_t head_bytes);
  Next read_chunked_body(std::size_t head_bytes, uint64_t limit);
  void rebase_exchange();
  Next fill(TimePoint deadline);
  Next respond();
  Next finish_stream();
  Next refuse(int status, Code code, std::string_view detail);
  void note_refusal(int status, std::string_view reason) noexcept;
  bool send(std::string_view head, std::string_view body);
  void linger();
  TimePoint body_deadline(TimePoint start, std::size_t received) const noexcept;
  bool may_go_on() const noexcept;

  net::TcpStream& stream() noexcept { return connection_->stream(); }
  void reset();

  const ConnectionEnv& env_;
  Connection* connection_ = nullptr;
  ReadBuffer buffer_;
  RequestParser parser_{env_.options.head};
  Exchange::State exchange_;
  DateCache date_;
  std::string out_;
  std::size_t request_bytes_ = 0;  // head and body of the current request, in buffer_
  const char* routed_base_ = nullptr;
  int read_error_ = 0;
  bool keep_alive_ = false;

  const bool own_ = false;  // made for a lasting request

  std::optional<BodyStream> body_;
  ReadBuffer more_;  // behind what buffer_ holds: of the body's stream, or what came with a lasting request
};

}  // namespace degu::http::internal
