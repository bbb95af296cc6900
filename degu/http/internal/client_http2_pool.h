// ClientHttp2Pool: a client's connections of HTTP/2, by origin; many requests share one.
#pragma once

#include <degu/base/time.h>
#include <degu/http/internal/client_http2.h>
#include <degu/http/internal/client_pool.h>
#include <degu/sync/mutex.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http::internal {

/// Thread-safe. Connections without requests are looked through for expired ones whenever a request begins or ends.
class ClientHttp2Pool : public std::enable_shared_from_this<ClientHttp2Pool> {
  struct Host;
  struct Shared;

 public:
  /// `connection`: of those that are made.
  ClientHttp2Pool(const PoolLimits& limits, const ClientHttp2Limits& connection) noexcept
      : limits_(limits), connection_limits_(connection) {}
  /// Connections end when their streams are done.
  ~ClientHttp2Pool();

  /// The right to one stream of a connection. Keeps both alive. Move-only.
  class Slot {
   public:
    Slot() noexcept = default;
    Slot(Slot&& other) noexcept = default;
    Slot& operator=(Slot&& other) noexcept;
    ~Slot() { release(); }

    explicit operator bool() const noexcept { return shared_ != nullptr; }
    ClientHttp2& connection() const noexcept;
    /// The connection served before.
    bool reused() const noexcept { return reused_; }
    void release() noexcept;

   private:
    friend class ClientHttp2Pool;
    std::shared_ptr<ClientHttp2Pool> pool_;
    std::shared_ptr<Host> host_;
    std::shared_ptr<Shared> shared_;
    bool reused_ = false;
  };

  /// The task to connect, at which others may wait to share what comes of it. Without add() or not_spoken() it has
  /// failed: they connect for themselves. Move-only.
  class Dial {
   public:
    Dial() noexcept = default;
    Dial(Dial&& other) noexcept = default;
    Dial& operator=(Dial&& other) noexcept;
    ~Dial() { end(); }

    explicit operator bool() const noexcept { return host_ != nullptr; }
    /// The server has chosen HTTP/1.1.
    void not_spoken() noexcept;

   private:
    friend class ClientHttp2Pool;
    void end() noexcept;
    std::shared_ptr<ClientHttp2Pool> pool_;
    std::shared_ptr<Host> host_;
    bool alone_ = false;  // others wait
  };

  struct Place {
    Slot slot;  ///< or else
    Dial dial;
  };
  /// A stream of a connection to the origin, or the task to make one, as long as there are fewer than there may be. Waits
  /// else, and also while another one dials when HTTP/2 is likely: `expected`, or spoken last. Throws DeadlineExceeded by
  /// `deadline`, and as the context ends.
  Place take(const std::string& origin, bool expected, TimePoint deadline);

  /// One that somebody else has made meanwhile, if it has room; then there is nothing more to do.
  Slot use_other(Dial& dial);
  /// The connection that was made speaks HTTP/2. As use_other(), and then it is closed.
  Slot add(Dial dial, ClientPool::Lease lease);

  std::size_t connections_for_test();

 private:
  using Retired = std::vector<std::shared_ptr<Shared>>;

  bool is_likely(const Host& host, bool expected) const;
  bool should_dial(const Host& host, bool expected, uint64_t failures) const;
  std::shared_ptr<Shared> find(const Host& host) const;
  Slot use(const std::shared_ptr<Host>& host, std::shared_ptr<Shared> shared);
  void remove_expired(TimePoint time, Retired& out);
  void drop_unusable(Host& host, Retired& out);
  void remove(const std::shared_ptr<Shared>& shared, Retired& out);
  void bound_idle(const Host& host, Retired& out);
  static void end_dial(const Dial& dial, Host& host) noexcept;
  void forget_if_unused(const Host& host) noexcept;
  void release(const std::shared_ptr<Host>& host, const std::shared_ptr<Shared>& shared) noexcept;
  static void retire(const Retired& retired) noexcept;

  const PoolLimits limits_;
  const ClientHttp2Limits connection_limits_;
  Mutex lock_;  // guards what follows; connections are retired outside of it
  std::map<std::string, std::shared_ptr<Host>, std::less<>>
      hosts_;                                    // those with connections, or who wants one
  std::set<std::string, std::less<>> speakers_;  // origins that spoke HTTP/2 last
  std::vector<std::shared_ptr<Shared>> idle_;    // the one used last is the last
};

}  // namespace degu::http::internal
