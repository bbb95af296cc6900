// A connect is a round trip: half of it, a look whether somebody listens there, the other half. While the hosts are
// parted it tries again after the heal; it gives up as Linux does, after some two minutes.
#include <degu/base/error.h>
#include <degu/rt/sim_point.h>
#include <degu/sim/internal/sim_datagrams.h>
#include <degu/sim/internal/sim_endpoint.h>
#include <degu/sim/internal/sim_network.h>
#include <degu/sim/internal/simulation.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace degu::sim::internal {
namespace {

constexpr std::chrono::seconds kConnectPatience{127};

// Events of the log beside those of connections, whose numbers start at 8.
constexpr uint64_t kConnect = 1;
constexpr uint64_t kListen = 2;
constexpr uint64_t kCut = 3;
constexpr uint64_t kHeal = 4;
constexpr uint64_t kDatagram = 5;

std::pair<uint32_t, uint32_t> ordered(uint32_t a, uint32_t b) noexcept { return std::minmax(a, b); }

constexpr std::string_view kLoopback = "127.0.0.1";

std::string ip_of(uint32_t host) { return fmt::format("10.0.{}.{}", (host + 1) / 256, (host + 1) % 256); }

std::string text(std::string_view ip, uint16_t port) { return fmt::format("{}:{}", ip, port); }

}  // namespace

SimNetwork::SimNetwork(Simulation& simulation, const NetworkOptions& options, Random random)
    : simulation_(simulation), options_(options), random_(random), hosts_{"main"} {}

uint32_t SimNetwork::host_named(std::string_view name) {
  const auto found = std::find(hosts_.begin(), hosts_.end(), name);
  if (found != hosts_.end()) return static_cast<uint32_t>(found - hosts_.begin());
  hosts_.emplace_back(name);
  return static_cast<uint32_t>(hosts_.size() - 1);
}

bool SimNetwork::fault(std::string_view point) noexcept { return simulation_.fault(point); }

void SimNetwork::log(uint64_t what, uint64_t amount) noexcept {
  simulation_.log(Event::kNetwork, what, amount);
}

bool SimNetwork::happens(double probability) noexcept {
  if (probability <= 0) return false;
  constexpr double kTwo32 = 4294967296.0;
  return static_cast<double>(random_.next() >> 32) < probability * kTwo32;
}

std::chrono::nanoseconds SimNetwork::latency() noexcept {
  const auto span =
      static_cast<uint64_t>(std::max<int64_t>(0, (options_.max_latency - options_.min_latency).count()));
  return options_.min_latency + std::chrono::nanoseconds(random_.next() % (span + 1));
}

// --- names and places

std::vector<net::Address> SimNetwork::resolve(const std::string& host, uint16_t port) {
  if (host == "localhost") return {*net::Address::from_ip(kLoopback, port)};
  if (fault("net.resolve")) throw Error(Code::kUnavailable, "no server for names answers, as planned");
  const auto found = std::find(hosts_.begin(), hosts_.end(), host);
  if (found == hosts_.end()) throw Error(Code::kUnavailable, "no host of the simulation has that name");
  const auto index = static_cast<uint32_t>(found - hosts_.begin());
  return {*net::Address::from_ip(ip_of(index), port)};
}

bool SimNetwork::place_of(const net::Address& address, Place& place) const {
  place.port = address.port();
  const std::string ip = address.host();
  if (address.is_loopback() || ip == "0.0.0.0" || ip == "::") {
    place.host = simulation_.host();
    return true;
  }
  for (uint32_t host = 0; host < hosts_.size(); ++host) {
    if (ip_of(host) != ip) continue;
    place.host = host;
    return true;
  }
  return false;
}

uint16_t SimNetwork::free_port(uint32_t host) noexcept {
  do {
    if (++next_port_ < 40'000) next_port_ = 40'000;
  } while (listeners_.contains({host, next_port_}) || datagrams_.contains({host, next_port_}));
  return next_port_;
}

// --- partitions

bool SimNetwork::joined(uint32_t a, uint32_t b) const {
  return a == b || (!isolated_.contains(a) && !isolated_.contains(b) && !cut_.contains(ordered(a, b)));
}

void SimNetwork::partition(uint32_t a, uint32_t b) {
  cut_.insert(ordered(a, b));
  drop_parted();
  log(kCut, (uint64_t{a} << 32) | b);
}

void SimNetwork::isolate(uint32_t host) {
  isolated_.insert(host);
  drop_parted();
  log(kCut, host);
}

void SimNetwork::heal(uint32_t a, uint32_t b) {
  cut_.erase(ordered(a, b));
  isolated_.erase(a);
  isolated_.erase(b);
  changed();
}

void SimNetwork::heal() {
  cut_.clear();
  isolated_.clear();
  changed();
}

void SimNetwork::changed() {
  log(kHeal, cut_.size());
  changes_.wake_all();
  for (const auto& weak : links_) {
    const std::shared_ptr<Link> link = weak.lock();
    if (link == nullptr || link->hosts[0] == link->hosts[1] || !joined(link->hosts[0], link->hosts[1]))
      continue;
    // What waited is sent again.
    for (Pipe& pipe : link->pipes) {
      const TimePoint arrives = now() + latency();
      for (Chunk& chunk : pipe.chunks) chunk.arrives = std::max(chunk.arrives, arrives);
      pipe.last_arrival = std::max(pipe.last_arrival, arrives);
      if (pipe.ended) pipe.end_arrives = std::max(pipe.end_arrives, pipe.last_arrival);
    }
    link->wake_all();
  }
}

void SimNetwork::reset(uint32_t a, uint32_t b) {
  for (const auto& weak : links_) {
    const std::shared_ptr<Link> link = weak.lock();
    if (link != nullptr && link->kind == LinkKind::kTcp &&
        ordered(link->hosts[0], link->hosts[1]) == ordered(a, b))
      link->break_off();
  }
}

// --- connect and listen

std::shared_ptr<Link> SimNetwork::make_link(uint32_t from, uint32_t to, LinkKind kind) {
  auto link = std::make_shared<Link>();
  link->id = ++last_link_;
  link->kind = kind;
  link->hosts = {from, to};
  for (Pipe& pipe : link->pipes) {
    pipe.capacity = happens(options_.slow) ? 1 + random_.below(512) : options_.buffer;
  }
  std::erase_if(links_, [](const std::weak_ptr<Link>& old) { return old.expired(); });
  links_.push_back(link);
  return link;
}

net::internal::Accepted SimNetwork::connect(const net::Address& to, TimePoint deadline) noexcept {
  rt::sim_point();
  Place target;
  if (!place_of(to, target)) return {nullptr, EHOSTUNREACH};
  const uint32_t host = simulation_.host();
  const TimePoint give_up = std::min(deadline, now() + kConnectPatience);
  Waiters nobody;
  while (true) {
    if (now() >= give_up) return {nullptr, ETIMEDOUT};
    if (!joined(host, target.host)) {
      if (changes_.wait(rt::WaitReason::kIoWrite, give_up) == ECANCELED) return {nullptr, ECANCELED};
      continue;
    }
    if (nobody.wait(rt::WaitReason::kIoWrite, std::min(give_up, now() + latency())) == ECANCELED)
      return {nullptr, ECANCELED};
    if (joined(host, target.host)) break;
  }
  if (now() >= give_up) return {nullptr, ETIMEDOUT};
  const auto listener = listeners_.find(target);
  const bool refused = listener == listeners_.end() || happens(options_.refuse) || fault("net.connect");
  log(kConnect, refused ? 0 : last_link_ + 1);
  std::shared_ptr<Link> link;
  const uint16_t port = free_port(host);
  const std::string local = text(to.is_loopback() ? std::string(kLoopback) : ip_of(host), port);
  if (!refused) {
    link = make_link(host, target.host, LinkKind::kTcp);
    listener->second->arrived(link, local);
  }
  if (nobody.wait(rt::WaitReason::kIoWrite, std::min(give_up, now() + latency())) == ECANCELED) {
    if (link != nullptr) link->break_off();
    return {nullptr, ECANCELED};
  }
  if (refused) return {nullptr, ECONNREFUSED};
  return {new SimStream(*this, std::move(link), 0, local, net::to_string(to)), 0};
}

net::internal::Accepted SimNetwork::listen(const net::Address& at) noexcept {
  rt::sim_point();
  Place place;
  if (!place_of(at, place) || place.host != simulation_.host()) return {nullptr, EADDRNOTAVAIL};
  if (place.port == 0) place.port = free_port(place.host);
  if (listeners_.contains(place)) return {nullptr, EADDRINUSE};
  log(kListen, place.port);
  const std::string local = text(at.is_loopback() ? std::string(kLoopback) : ip_of(place.host), place.port);
  auto* listener = new SimListener(*this, place, local);
  listeners_.emplace(place, listener);
  return {listener, 0};
}

void SimNetwork::closed(const SimListener& listener) noexcept {
  if (listener.keeps_path()) stale_.insert(listener.place());
  listeners_.erase(listener.place());
}

// --- Unix sockets and pipes

net::internal::Accepted SimNetwork::listen_local(const std::string& path, bool replace_stale,
                                                 bool keep_path) noexcept {
  rt::sim_point();
  const Place place{simulation_.host(), 0, path};
  if (listeners_.contains(place) || (stale_.contains(place) && !replace_stale)) return {nullptr, EADDRINUSE};
  stale_.erase(place);
  log(kListen, 0);
  auto* listener = new SimListener(*this, place, path, keep_path && path.front() != '@');
  listeners_.emplace(place, listener);
  return {listener, 0};
}

net::internal::Accepted SimNetwork::connect_local(const std::string& path) noexcept {
  rt::sim_point();
  const Place place{simulation_.host(), 0, path};
  Waiters nobody;
  if (nobody.wait(rt::WaitReason::kIoWrite, now() + latency()) == ECANCELED) return {nullptr, ECANCELED};
  if (fault("net.connect")) return {nullptr, ECONNREFUSED};
  const auto listener = listeners_.find(place);
  log(kConnect, listener == listeners_.end() ? 0 : last_link_ + 1);
  if (listener == listeners_.end())
    return {nullptr, path.front() == '@' || stale_.contains(place) ? ECONNREFUSED : ENOENT};
  std::shared_ptr<Link> link = make_link(place.host, place.host, LinkKind::kUnix);
  listener->second->arrived(link, {});
  return {new SimStream(*this, std::move(link), 0, {}, path), 0};
}

std::pair<net::internal::Endpoint*, net::internal::Endpoint*> SimNetwork::local_pair() {
  const uint32_t host = simulation_.host();
  const std::shared_ptr<Link> link = make_link(host, host, LinkKind::kUnix);
  return {new SimStream(*this, link, 0, {}, {}), new SimStream(*this, link, 1, {}, {})};
}

std::pair<net::internal::Endpoint*, net::internal::Endpoint*> SimNetwork::pipe() {
  const uint32_t host = simulation_.host();
  const std::shared_ptr<Link> link = make_link(host, host, LinkKind::kPipe);
  return {new SimStream(*this, link, 1, {}, {}), new SimStream(*this, link, 0, {}, {})};
}

// --- datagrams

net::internal::Accepted SimNetwork::open_datagrams(Place place, bool loopback, const Place* peer,
                                                   std::string peer_text) noexcept {
  rt::sim_point();
  if (place.port == 0) place.port = free_port(place.host);
  if (datagrams_.contains(place)) return {nullptr, EADDRINUSE};
  log(kListen, place.port);
  std::string local = text(loopback ? std::string(kLoopback) : ip_of(place.host), place.port);
  auto* socket =
      new SimDatagrams(*this, place, std::move(local), peer != nullptr ? std::optional(*peer) : std::nullopt,
                       std::move(peer_text));
  datagrams_.emplace(std::move(place), socket);
  return {socket, 0};
}

net::internal::Accepted SimNetwork::bind_datagrams(const net::Address& at) noexcept {
  Place place;
  if (!place_of(at, place) || place.host != simulation_.host()) return {nullptr, EADDRNOTAVAIL};
  return open_datagrams(std::move(place), at.is_loopback(), nullptr, {});
}

net::internal::Accepted SimNetwork::connect_datagrams(const net::Address& to) noexcept {
  Place peer;
  if (!place_of(to, peer)) return {nullptr, EHOSTUNREACH};
  return open_datagrams({simulation_.host(), 0, {}}, to.is_loopback(), &peer, net::to_string(to));
}

int SimNetwork::send(SimDatagrams& from, const net::Address& to, std::string_view bytes) noexcept {
  Place target;
  if (!place_of(to, target)) return EHOSTUNREACH;
  if (fault("net.send")) return ENOBUFS;
  const uint32_t host = from.place().host;
  const bool lost = !joined(host, target.host) || happens(options_.loss);
  log(kDatagram, lost ? 0 : bytes.size() + 1);
  if (lost) return 0;
  const auto receiver = datagrams_.find(target);
  if (receiver == datagrams_.end()) {
    from.refused(now() + latency() + latency());
    return 0;
  }
  const std::string sender = text(to.is_loopback() ? std::string(kLoopback) : ip_of(host), from.place().port);
  for (int copies = happens(options_.duplicate) ? 2 : 1; copies > 0; --copies)
    receiver->second->arrives(now() + latency(), from.place(), sender, bytes);
  return 0;
}

void SimNetwork::closed(const SimDatagrams& socket) noexcept { datagrams_.erase(socket.place()); }

void SimNetwork::drop_parted() noexcept {
  for (const auto& [place, socket] : datagrams_) socket->drop_parted();
}

}  // namespace degu::sim::internal
