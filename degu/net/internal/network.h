// Network: stands in for the kernel's where the caller is in a simulation.
#pragma once

#include <degu/net/address.h>
#include <degu/net/internal/endpoint.h>

#include <atomic>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::net::internal {

/// Used by one thread. Errors are errnos, as in Accepted.
class Network {
 public:
  virtual ~Network() = default;
  /// Throws Error(kUnavailable) for a name that is not known.
  virtual std::vector<Address> resolve(const std::string& host, uint16_t port) = 0;
  virtual Accepted connect(const Address& to, TimePoint deadline) noexcept = 0;
  virtual Accepted listen(const Address& at) noexcept = 0;
  virtual Accepted bind_datagrams(const Address& at) noexcept = 0;
  virtual Accepted connect_datagrams(const Address& to) noexcept = 0;

  /// Unix sockets: a path or "@name". `keep_path`: the path is still there when the listener has been closed.
  virtual Accepted listen_local(const std::string& path, bool replace_stale, bool keep_path) noexcept = 0;
  virtual Accepted connect_local(const std::string& path) noexcept = 0;
  /// Two connected ends, both owned by the caller: socketpair(2); and pipe(2), the reader first.
  virtual std::pair<Endpoint*, Endpoint*> local_pair() = 0;
  virtual std::pair<Endpoint*, Endpoint*> pipe() = 0;
};

/// Set while a simulation exists: the caller's network, or null.
using NetworkOfCaller = Network* (*)() noexcept;
inline constinit std::atomic<NetworkOfCaller> network_hook{nullptr};

inline Network* current_network() noexcept {
  const NetworkOfCaller hook = network_hook.load(std::memory_order_relaxed);
  return hook == nullptr ? nullptr : hook();
}

/// Throws Error(kFailedPrecondition) where the caller is in a simulation, which has no `what`.
void refuse_in_simulation(std::string_view what);

}  // namespace degu::net::internal
