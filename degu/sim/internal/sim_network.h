// SimNetwork: the network of one simulation: hosts, listeners, connections. All of it is used by one thread, which other
// goroutines get only at a wait or a point: so there are no locks.
#pragma once

#include <degu/base/random.h>
#include <degu/net/internal/network.h>
#include <degu/sim/internal/pipe.h>
#include <degu/sim/network.h>

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::sim::internal {

class Simulation;
class SimListener;

class SimDatagrams;

/// Where somebody can be reached: a port, or the name of a Unix socket.
struct Place {
  uint32_t host = 0;
  uint16_t port = 0;
  std::string name = {};
  auto operator<=>(const Place&) const = default;
};

class SimNetwork final : public net::internal::Network {
 public:
  SimNetwork(Simulation& simulation, const NetworkOptions& options, Random random);

  std::vector<net::Address> resolve(const std::string& host, uint16_t port) override;
  net::internal::Accepted connect(const net::Address& to, TimePoint deadline) noexcept override;
  net::internal::Accepted listen(const net::Address& at) noexcept override;
  net::internal::Accepted bind_datagrams(const net::Address& at) noexcept override;
  net::internal::Accepted connect_datagrams(const net::Address& to) noexcept override;
  net::internal::Accepted listen_local(const std::string& path, bool replace_stale,
                                       bool keep_path) noexcept override;
  net::internal::Accepted connect_local(const std::string& path) noexcept override;
  std::pair<net::internal::Endpoint*, net::internal::Endpoint*> local_pair() override;
  std::pair<net::internal::Endpoint*, net::internal::Endpoint*> pipe() override;

  uint32_t host_named(std::string_view name);
  void partition(uint32_t a, uint32_t b);
  void isolate(uint32_t host);
  void heal(uint32_t a, uint32_t b);
  void heal();
  void reset(uint32_t a, uint32_t b);

  bool joined(uint32_t a, uint32_t b) const;
  std::chrono::nanoseconds latency() noexcept;
  bool happens(double probability) noexcept;
  Random& random() noexcept { return random_; }
  const NetworkOptions& options() const noexcept { return options_; }
  void log(uint64_t what, uint64_t amount) noexcept;
  /// Does a fault that was planned happen now?
  bool fault(std::string_view point) noexcept;
  void closed(const SimListener& listener) noexcept;
  void closed(const SimDatagrams& socket) noexcept;
  /// 0 or an errno. The datagram may be lost, sent twice, or overtake others.
  int send(SimDatagrams& from, const net::Address& to, std::string_view bytes) noexcept;
  bool place_of(const net::Address& address, Place& place) const;
  /// Waits for partitions and their ends.
  Waiters& changes() noexcept { return changes_; }

 private:
  net::internal::Accepted open_datagrams(Place place, bool loopback, const Place* peer,
                                         std::string peer_text) noexcept;
  uint16_t free_port(uint32_t host) noexcept;
  std::shared_ptr<Link> make_link(uint32_t from, uint32_t to, LinkKind kind);
  void drop_parted() noexcept;
  void changed();

  Simulation& simulation_;
  const NetworkOptions options_;
  Random random_;
  std::vector<std::string> hosts_;
  std::set<std::pair<uint32_t, uint32_t>> cut_;  // smaller first
  std::set<uint32_t> isolated_;
  std::map<Place, SimListener*> listeners_;
  std::map<Place, SimDatagrams*> datagrams_;
  std::set<Place> stale_;  // paths of Unix sockets on which nobody listens any more
  std::vector<std::weak_ptr<Link>> links_;
  uint16_t next_port_ = 40'000;
  uint64_t last_link_ = 0;
  Waiters changes_;
};

}  // namespace degu::sim::internal
