// ClientHttp2: a client's connection that speaks HTTP/2 (RFC 9113), and the streams on it.
#pragma once

#include <degu/base/error.h>
#include <degu/base/function.h>
#include <degu/base/time.h>
#include <degu/http/internal/client_http2_stream.h>
#include <degu/http/internal/client_pool.h>
#include <degu/http/internal/client_request.h>
#include <degu/http/internal/glitch_budget.h>
#include <degu/rt/netpoll.h>
#include <degu/sync/mutex.h>
#include <degu/sync/wait_group.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct nghttp2_session;

namespace degu::http::internal {

struct ClientHttp2Limits {
  std::size_t max_header_bytes = 0;
  std::chrono::nanoseconds ping_after{0};     ///< of silence while something is waited for; 0: never
  std::chrono::nanoseconds write_timeout{0};  ///< for the server to take what is sent; 0: none
};

/// Thread-safe. Its goroutines keep it alive as long as the connection lasts: one reads while there are streams, one writes
/// while there is something to send.
class ClientHttp2 : public std::enable_shared_from_this<ClientHttp2> {
 public:
  using Guard = std::unique_lock<Mutex>;

  /// Takes over a new connection whose server speaks HTTP/2. Waits for nothing. `on_change` is called by the connection's
  /// goroutine when the server has said how many streams there may be, and when the connection has ended.
  static std::shared_ptr<ClientHttp2> start(ClientPool::Lease lease, const ClientHttp2Limits& limits,
                                            UniqueFunction<void()> on_change);
  ClientHttp2(ClientPool::Lease lease, const ClientHttp2Limits& limits, UniqueFunction<void()> on_change);
  ~ClientHttp2();
  ClientHttp2(const ClientHttp2&) = delete;
  ClientHttp2& operator=(const ClientHttp2&) = delete;

  /// Neither side has ended it.
  bool usable() const noexcept { return usable_.load(std::memory_order_relaxed); }
  /// The server has said what it allows.
  bool settled() const noexcept { return settled_.load(std::memory_order_relaxed); }
  /// How many the server allows at once, and we. One until it has said so: it would have to refuse what is too much.
  std::size_t max_streams() const noexcept { return max_streams_.load(std::memory_order_relaxed); }
  /// No more streams; the connection is closed when there are none.
  void retire() noexcept;

  /// Sends the head of a request with `fields` as wire_fields() gives them. Its body is read from `request.body`, until
  /// abandon(), or given by Stream::piece. Throws NotAnswered when the connection takes no more.
  std::shared_ptr<ClientHttp2Stream> open(const ClientRequest& request, HeaderList fields);

  Guard hold() { return Guard(lock_); }

  // With the lock held, by the stream's call.

  /// Waits until `ready()`, or until `until`: false. Looks whether a silent server lives. Throws as the context ends.
  template <class Ready>
  bool wait(Guard& guard, ClientHttp2Stream& stream, TimePoint until, Ready ready) {
    while (!stream.changed.wait_until(guard, std::min(until, next_look()), ready)) {
      if (now() >= until) return false;
      look_for_life();
    }
    return true;
  }
  /// There is more of the body, or its end.
  void resume(ClientHttp2Stream& stream);
  /// Of the answer's body: the server may send as much again.
  void give_room(ClientHttp2Stream& stream, std::size_t bytes);
  /// Nothing of it is wanted any more, nor is its memory used.
  void abandon(ClientHttp2Stream& stream) noexcept;
  /// Of a stream that is gone, before its answer or within it.
  [[noreturn]] void throw_lost(const ClientHttp2Stream& stream) const;

 private:
  struct Callbacks;
  struct Wake : rt::PollCall {
    ClientHttp2* connection = nullptr;
  };
  struct Failure {
    Code code;
    std::string why;
  };
  enum class Rest : uint8_t { kParked, kRead, kEnd };

  net::TcpStream& stream() noexcept { return lease_.stream(); }
  void spawn_reader();
  void read_in() noexcept;
  Rest rest();
  bool take_input(std::span<char> into);
  bool feed(std::string_view bytes);
  bool feed_session(std::string_view bytes);
  void wind_up() noexcept;
  void write_out() noexcept;

  // With lock_ held.
  TimePoint next_look() const noexcept;
  void look_for_life();
  void want_write();
  bool gather(std::string& out);
  bool is_over() noexcept;
  void wake_reader(TimePoint deadline = TimePoint()) noexcept;
  void leave() noexcept;
  void fail(Code code, std::string why);
  void end_streams() noexcept;
  void lose_writing(int error);
  void head_complete(ClientHttp2Stream& stream, bool ends);
  void stream_closed(ClientHttp2Stream& stream) noexcept;
  void glitch(uint32_t cost);
  void note_settings() noexcept;
  std::ptrdiff_t read_body(ClientHttp2Stream& stream, std::span<char> into, uint32_t& flags);

  const ClientHttp2Limits limits_;
  ClientPool::Lease lease_;  // until wind_up()
  WaitGroup writers_;
  Wake call_;
  std::shared_ptr<ClientHttp2> kept_;  // while call_ is registered
  std::atomic<bool> usable_{true};     // hints for the pool: open() decides
  std::atomic<bool> settled_{false};
  std::atomic<std::size_t> max_streams_{1};
  UniqueFunction<void()> on_change_;  // the reader's

  Mutex lock_;  // guards what follows
  nghttp2_session* session_ = nullptr;
  std::vector<std::shared_ptr<ClientHttp2Stream>> streams_;
  std::optional<Failure> failure_;
  std::string fault_;           // what nghttp2 said last of frames that are wrong
  uint32_t goodbye_ = 0;        // the code of the server's GOAWAY
  bool settings_came_ = false;  // since the reader looked
  bool writing_ = false;        // a goroutine writes, or is about to
  bool parked_ = false;         // no goroutine reads: call_ starts one
  bool leaving_ = false;        // no new streams
  bool mute_ = false;           // nothing can be sent any more
  bool broken_ = false;         // the session must not be used any more
  bool finished_ = false;       // the connection is about to be closed
  TimePoint time_{};            // when the lock was taken to read or to write
  TimePoint quiet_since_{};
  std::optional<TimePoint> pinged_at_;
  GlitchBudget glitches_;
};

}  // namespace degu::http::internal
