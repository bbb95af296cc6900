// Connection: one client of a server, served by one goroutine.
#pragma once

#include <degu/context/cancel_scope.h>
#include <degu/http/internal/date.h>
#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/read_buffer.h>
#include <degu/http/request_parser.h>
#include <degu/http/server.h>
#include <degu/net/tcp.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// What the connections of a server share.
struct ConnectionEnv {
  const RouteTable& table;
  const ServerOptions& options;
  const std::atomic<bool>& draining;
};

/// Serves requests until the client, a limit or the server ends it. run() belongs to one goroutine;
/// close_if_idle(), cancel(), interrupt() and the counters may be used from others while the connection is
/// registered with its server.
class Connection : public ResponseSink {
 public:
  /// `scope` is the context of the handlers and the current one of the goroutine that calls run().
  Connection(const ConnectionEnv& env, net::TcpStream stream, CancelScope& scope)
      : env_(env), stream_(std::move(stream)), scope_(scope) {}

  /// Answers one request after another.
  void run() noexcept;

  /// Ends the connection if it waits for a request; false if it is at work.
  bool close_if_idle() noexcept;
  /// Ends the context of the request being served.
  void cancel() noexcept { scope_.cancel(); }
  /// Ends all waits for the client.
  void interrupt() noexcept { stream_.interrupt(); }
  bool idle() const noexcept { return state_.load(std::memory_order_relaxed) == State::kIdle; }
  int fd() const noexcept { return stream_.fd(); }
  uint64_t requests() const noexcept { return requests_.load(std::memory_order_relaxed); }

  // The server's list and its reaper's notes, guarded by the server's lock.
  Connection* next = nullptr;
  Connection* prev = nullptr;
  uint64_t seen_requests = ~uint64_t{0};
  bool seen_idle = false;
  bool abandoned = false;
  TimePoint seen_since = kNever;

  void start_stream(Exchange::State& state) override;
  void write_piece(Exchange::State& state, std::string_view piece) override;
  std::string peer() const override { return stream_.peer(); }
  bool stopping() const noexcept override { return env_.draining.load(std::memory_order_relaxed); }

 private:
  enum class State : uint8_t { kIdle, kBusy, kClosing };
  enum class Next : bool { kClose, kServe };

  Next serve_one();
  Next read_head();
  Next wait_for_request();
  Next read_body();
  Next read_sized_body(std::size_t head_bytes);
  Next read_chunked_body(std::size_t head_bytes, uint64_t limit);
  void rebase_exchange();
  Next fill(TimePoint deadline);
  Next respond();
  Next finish_stream();
  Next refuse(int status, Code code, std::string_view detail);
  bool send(std::string_view head, std::string_view body);
  void linger();
  TimePoint body_deadline(TimePoint start, std::size_t received) const noexcept;

  const ConnectionEnv& env_;
  net::TcpStream stream_;
  CancelScope& scope_;
  std::atomic<State> state_{State::kBusy};
  std::atomic<uint64_t> requests_{0};
  ReadBuffer buffer_;
  RequestParser parser_{env_.options.head};
  Exchange::State exchange_;
  DateCache date_;
  std::string out_;
  std::size_t request_bytes_ = 0;  // head and body of the current request, in buffer_
  const char* routed_base_ = nullptr;
  int read_error_ = 0;
  bool keep_alive_ = false;
};

}  // namespace degu::http::internal
