// Http2Session: a connection that speaks HTTP/2, goroutines that run the handlers of its requests.
#pragma once

#include <degu/context/context.h>
#include <degu/http/internal/connection.h>
#include <degu/http/internal/date.h>
#include <degu/http/internal/glitch_budget.h>
#include <degu/http/request_parser.h>
#include <degu/rt/lock.h>
#include <degu/sync/mutex.h>
#include <degu/sync/wait_group.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct nghttp2_session;

namespace degu::net {
struct TlsInfo;
}

namespace degu::http::internal {

class Http2Stream;

/// Belongs to its connection. serve() is called by one goroutine at a time; the rest by handlers of its requests.
class Http2Session {
 public:
  /// What RFC 9113 section 3.4 lets a client begin with.
  static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  explicit Http2Session(const ConnectionEnv& env);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  enum class End : bool {
    kIdle,   ///< waits for the next request, and may be served elsewhere already
    kClose,  ///< over: no goroutine uses it any more
  };
  /// The request of a connection that was HTTP/1.1 becomes the first stream (RFC 7540 section 3.2). `settings` are those of
  /// its HTTP2-Settings. False: they are none. Before serve().
  bool upgrade(Connection& connection, std::string_view settings, const RequestHead& head);
  /// Reads and starts requests until there is none, or the connection ends. `first`: what was read already, perhaps nothing,
  /// of a busy connection; without it the connection is idle.
  End serve(Connection& connection, std::optional<std::string_view> first) noexcept;

  // For Http2Stream.
  /// False: the stream is closed already.
  bool send_head(Http2Stream& stream);
  /// Waits while the client takes nothing. Throws as ResponseStream::write.
  void send_piece(Http2Stream& stream, std::string_view piece);
  /// As RequestStream::read.
  std::size_t read_piece(Http2Stream& stream, std::span<char> into);
  std::string peer() const { return connection_->stream().peer(); }
  bool secure() const noexcept { return connection_->secured; }
  std::optional<net::TlsInfo> tls() const;
  bool draining() const noexcept { return env_.draining.load(std::memory_order_relaxed); }
  Context drain() const { return env_.drain; }

 private:
  friend class Http2Tunnel;
  struct Callbacks;
  using Guard = std::unique_lock<Mutex>;
  enum class Read : uint8_t { kBytes, kIdle, kEnd };

  enum class Goodbye : uint8_t { kNone, kFirst, kHeard, kLast };  // of the two GOAWAY frames

  bool feed(std::string_view bytes);
  Read read_more(std::span<char> into, std::string_view& got);
  Read first_bytes(std::span<char> into, std::string_view& got);
  void start_worker();
  void work() noexcept;
  Http2Stream* take_ready(bool first) noexcept;
  void check_progress(TimePoint time);
  bool go_on_draining(TimePoint time);
  void wind_up() noexcept;
  void linger() noexcept;
  void finish(Http2Stream& stream) noexcept;
  void ensure_writer();
  void write_out() noexcept;

  // With lock_ held.
  Http2Stream& open_stream(int32_t id);
  void head_complete(Http2Stream& stream, bool ends);
  void add_body(Http2Stream& stream, std::string_view bytes);
  void input_complete(Http2Stream& stream);
  void make_ready(Http2Stream& stream);
  void submit_trailers(const Http2Stream& stream);
  void refuse(Http2Stream& stream, int status, Code code, std::string_view detail);
  void note_refusal(uint32_t code, const Http2Stream* stream) noexcept;
  void note_end(uint32_t code) noexcept;
  void goaway_sent(uint32_t code) noexcept;
  void heard(const uint8_t* ping) noexcept;
  void refuse_body(Http2Stream& stream);
  void submit_head(Http2Stream& stream, bool streamed);
  void stream_closed(Http2Stream& stream);
  void recycle(Http2Stream& stream);
  void release_body(Http2Stream& stream) noexcept;
  void give_window(Http2Stream& stream) noexcept;
  void give_windows() noexcept;
  void glitch(uint32_t cost) noexcept;
  std::size_t take_body(Http2Stream& stream, std::span<char> into) noexcept;
  void add_piece(Http2Stream& stream, std::string_view piece);
  void end_pieces(Http2Stream& stream) noexcept;
  static bool has_much_pending(const Http2Stream& stream) noexcept;
  void want_write();
  void wake_all() noexcept;
  void take_finished();
  void answer(Http2Stream& stream);
  bool gather(std::string& out);
  bool is_over() noexcept;
  void say_last() noexcept;
  std::ptrdiff_t read_body(Http2Stream& stream, std::span<char> into, uint32_t& flags);

  const ConnectionEnv& env_;
  Connection* connection_ = nullptr;
  TimePoint next_check_{};            // the reader's
  WaitGroup work_;                    // workers and writers
  std::atomic<bool> writing_{false};  // a goroutine writes, or is about to
  std::atomic<Http2Stream*> finished_{
      nullptr};  // a stack: their handlers have ended, and the writer has not seen them

  struct Ready {
    rt::Lock lock;  // guards the rest; the last to be taken
    std::deque<Http2Stream*> streams;
    std::size_t running = 0;    // handlers
    bool worker_comes = false;  // there is one that has not begun
  };
  Ready ready_;

  Mutex lock_;  // guards what follows
  nghttp2_session* session_ = nullptr;
  std::vector<std::unique_ptr<Http2Stream>> streams_;  // open ones, and closed ones whose handler still runs
  std::vector<std::unique_ptr<Http2Stream>> spare_;
  std::size_t buffered_ = 0;  // bytes of bodies
  std::size_t withheld_ = 0;  // of them, what the windows of their streams have not got back
  bool broken_ = false;       // nothing can be sent any more
  bool over_ = false;         // no request is served any more
  bool end_noted_ = false;    // that the client has broken the connection's rules
  Goodbye goodbye_ = Goodbye::kNone;
  TimePoint goodbye_at_{};  // when the last one is due, heard or not
  TimePoint time_{};        // when the lock was taken to read or to write
  GlitchBudget glitches_;
  DateCache date_;
};

}  // namespace degu::http::internal
