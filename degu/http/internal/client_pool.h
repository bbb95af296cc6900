// ClientPool: a client's connections of HTTP/1.1, by origin.
#pragma once

#include <degu/base/time.h>
#include <degu/net/tcp.h>
#include <degu/sync/mutex.h>
#include <degu/sync/semaphore.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http::internal {

struct PoolLimits {
  std::size_t max_idle = 0;  ///< in total; the one that lay longest goes first
  std::size_t max_idle_per_host = 0;
  std::size_t max_per_host = 0;  ///< in use or idle
  std::chrono::nanoseconds idle_timeout{0};
};

/// Thread-safe. Idle connections are looked through for expired ones whenever one is taken or comes back.
class ClientPool : public std::enable_shared_from_this<ClientPool> {
  struct Host;

 public:
  explicit ClientPool(const PoolLimits& limits) noexcept : limits_(limits) {}

  /// The right to one connection of an origin, and that connection. Keeps the pool alive; closes the connection
  /// unless it was given back. Move-only.
  class Lease {
   public:
    Lease() noexcept = default;
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease() { drop(); }

    net::TcpStream& stream() noexcept { return stream_; }
    void set_stream(net::TcpStream stream) noexcept { stream_ = std::move(stream); }
    /// It is one that served before.
    bool reused() const noexcept { return reused_; }
    /// For the next request: the connection has nothing to be read or written.
    void give_back();
    void drop() noexcept;

   private:
    friend class ClientPool;
    std::shared_ptr<ClientPool> pool_;
    std::shared_ptr<Host> host_;
    bool permitted_ = false;  // one of the host's slots is taken
    net::TcpStream stream_;
    bool reused_ = false;
  };

  enum class Want : bool {
    kAny,
    kNew,  ///< none that lay in the pool
  };
  /// Waits while the origin has as many as it may. The stream is empty if there was no idle one: the caller connects.
  /// Throws DeadlineExceeded by `deadline`, and as the context ends.
  Lease take(const std::string& origin, TimePoint deadline, Want want = Want::kAny);

  std::size_t idle_for_test();
  std::size_t hosts_for_test();

 private:
  struct Idle {
    Host* host = nullptr;
    TimePoint since{};
    net::TcpStream stream;
  };

  void remove_expired(TimePoint time, std::vector<Idle>& out);
  void put(Host& host, net::TcpStream stream);
  void leave(const std::shared_ptr<Host>& host) noexcept;

  const PoolLimits limits_;
  Mutex lock_;  // guards what follows; sockets are closed outside of it
  std::map<std::string, std::shared_ptr<Host>, std::less<>> hosts_;  // those with leases or idle connections
  std::vector<Idle> idle_;                                           // the one used last is the last
};

}  // namespace degu::http::internal
