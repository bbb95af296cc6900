// Connection: one client of a server.
#pragma once

#include <degu/context/context.h>
#include <degu/http/internal/ip.h>
#include <degu/net/tcp.h>
#include <degu/rt/netpoll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace degu::http {
struct ServerOptions;
}

namespace degu::http::internal {

class Http2Session;
class Refusals;
class RouteTable;

/// What the connections of a server share.
struct ConnectionEnv {
  const RouteTable& table;
  const ServerOptions& options;
  const std::atomic<bool>& draining;  // answers say that they are the last
  const std::atomic<bool>& closing;   // idle connections are closed; after `draining`
  const Context& drain;               // ends after `draining` was set
  Refusals& refusals;
};

/// Idle, it is all that is held for a client: no goroutine, stack or buffer. While it is served it belongs to one
/// goroutine; close_if_idle(), cancel(), interrupt() and the counters may be used from others as long as it is
/// registered with its server.
class Connection {
 public:
  /// `activate` is called when an idle one may have something to read or has been closed; it must not wait.
  Connection(net::TcpStream stream, ContextAnd<CancelFunc> context, void (*activate)(Connection&),
             void* owner)
      : stream_(std::move(stream)), context_(std::move(context)), activate_(activate), owner_(owner) {
    call_.fn = [](rt::PollCall* call) {
      auto& self = *static_cast<Wake*>(call)->connection;
      self.activate_(self);
    };
    call_.connection = this;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  net::TcpStream& stream() noexcept { return stream_; }
  /// That of its requests.
  const Context& context() const noexcept { return context_.context; }
  void* owner() const noexcept { return owner_; }
  void count_request() noexcept {
    requests_.store(requests_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  /// From busy to idle: it may be closed from now on. seq_cst, as in the server's begin_drain() and close_idle(): either
  /// those see this or who calls this sees that it drains, or closes.
  void rest() noexcept { state_.store(State::kIdle); }
  /// After rest(): true, and activate() is called once. False: there may be something to read.
  bool park() noexcept { return stream_.call_when_readable(call_); }
  /// From idle to busy; false: somebody has closed it meanwhile.
  bool resume() noexcept {
    State expected = State::kIdle;
    return state_.compare_exchange_strong(expected, State::kBusy);
  }

  /// Ends the connection if it waits for a request; false if it is at work.
  bool close_if_idle() noexcept {
    State expected = State::kIdle;
    if (!state_.compare_exchange_strong(expected, State::kClosing)) return false;
    stream_.interrupt();
    return true;
  }
  /// Ends the context of the request being served.
  void cancel() const noexcept { context_.cancel(); }
  /// Ends all waits for the client.
  void interrupt() noexcept { stream_.interrupt(); }
  /// Ends a wait of the reader once, with ETIMEDOUT, now or when it waits next; one that is parked is activated.
  void nudge() noexcept { stream_.set_read_deadline(TimePoint()); }
  bool idle() const noexcept { return state_.load(std::memory_order_relaxed) == State::kIdle; }
  int fd() const noexcept { return stream_.fd(); }
  uint64_t requests() const noexcept { return requests_.load(std::memory_order_relaxed); }

  // These belong to who serves it.
  bool secured = false;                 // the TLS handshake is over
  bool introduced = false;              // its client is known and has a place
  std::optional<IpAddress> client;      // who is counted for it by AddressCounts
  std::shared_ptr<Http2Session> http2;  // null: HTTP/1.1 so far

  // The server's list and its reaper's notes, guarded by the server's lock.
  Connection* next = nullptr;
  Connection* prev = nullptr;
  uint64_t seen_requests = ~uint64_t{0};
  TimePoint seen_since = kNever;
  bool seen_idle = false;
  bool abandoned = false;
  std::atomic<bool> multiplexed{false};  // speaks HTTP/2: is told of a drain by a nudge

 private:
  enum class State : uint8_t { kIdle, kBusy, kClosing };
  struct Wake : rt::PollCall {
    Connection* connection = nullptr;
  };

  net::TcpStream stream_;
  ContextAnd<CancelFunc> context_;
  std::atomic<State> state_{State::kIdle};
  std::atomic<uint64_t> requests_{0};
  Wake call_;
  void (*activate_)(Connection&);
  void* owner_;
};

}  // namespace degu::http::internal
