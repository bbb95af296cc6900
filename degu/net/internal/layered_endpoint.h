// LayeredEndpoint: an Endpoint over another connection, and what all of these have in common.
#pragma once

#include <degu/net/internal/endpoint.h>
#include <degu/net/internal/fd_lock.h>
#include <degu/net/socket.h>

#include <string>
#include <utility>

namespace degu::net::internal {

/// Owns the connection below. close() may come from any goroutine; the object ends when its owner has released it and the
/// last call has returned.
class LayeredEndpoint : public Endpoint {
 public:
  Accepted accept(TimePoint deadline) noexcept override;
  void set_deadline(rt::Direction direction, TimePoint deadline) noexcept override;
  void shutdown_write() noexcept override;
  void interrupt() noexcept override;
  void close() noexcept override;
  void release() noexcept override;
  int fd() const noexcept override { return lock_.closed() ? -1 : inner_.fd(); }
  bool closed() const noexcept override { return lock_.closed(); }
  std::string local_address() const override { return inner_.local_address(); }
  std::string peer_address() const override { return inner_.peer_address(); }

 protected:
  /// One direction, locked for a scope. With an `error` it is not.
  struct Turn {
    Turn(LayeredEndpoint& endpoint, rt::Direction which, TimePoint deadline) noexcept;
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    LayeredEndpoint& owner;
    rt::Direction direction;
    int error = 0;
  };

  /// Inside for a scope, beside all others. False: closed.
  struct Visit {
    explicit Visit(LayeredEndpoint& endpoint) noexcept : owner(endpoint), inside(owner.lock_.add_ref()) {}
    ~Visit() {
      if (inside) owner.leave(owner.lock_.drop_ref());
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    explicit operator bool() const noexcept { return inside; }
    LayeredEndpoint& owner;
    bool inside;
  };

  explicit LayeredEndpoint(Socket inner) noexcept : inner_(std::move(inner)) {}
  ~LayeredEndpoint() override = default;

  /// The last words of the one call of close() that closes. Must not wait.
  virtual void before_close() noexcept {}

  Socket inner_;

 private:
  void leave(bool last) noexcept {
    if (last && lock_.released()) delete this;
  }

  FdLock lock_;  // the turns of readers and writers, and this object's end
};

}  // namespace degu::net::internal
