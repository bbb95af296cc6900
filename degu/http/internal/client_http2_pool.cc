// A slot is taken from when a request looks for a stream until its call is over, which may be a moment before the stream is
// closed: the connection then holds the next request back itself. Connections hold a permit of ClientPool each, as those of
// HTTP/1.1 do, so that both together are no more than the client may have.
#include <degu/base/error.h>
#include <degu/http/internal/client_http2_pool.h>

#include <algorithm>
#include <mutex>

namespace degu::http::internal {

namespace {

constexpr std::size_t kMaxSpeakers = 1024;  // beyond that all are forgotten: it is but a guess

}  // namespace

// Guarded by the pool's lock.
struct ClientHttp2Pool::Shared {
  Shared(std::shared_ptr<ClientHttp2> made, Host& of) noexcept : connection(std::move(made)), host(&of) {}
  bool is_coming() const noexcept { return connection->usable() && !connection->settled(); }
  bool has_room() const noexcept { return connection->usable() && used < connection->max_streams(); }

  const std::shared_ptr<ClientHttp2> connection;
  Host* host;            // null: not in its list any more
  std::size_t used = 0;  // slots
  TimePoint idle_since{};
};

struct ClientHttp2Pool::Host {
  explicit Host(std::string name) : origin(std::move(name)) {}
  const std::string origin;
  std::vector<std::shared_ptr<Shared>> connections;
  std::size_t dialing = 0;
  std::size_t alone = 0;  // of them, those at which others wait
  uint64_t failures = 0;  // of dials
  std::size_t users = 0;  // slots, dials, and who looks for one
  Cond changed;
};

// --- What the caller gets

ClientHttp2Pool::Slot& ClientHttp2Pool::Slot::operator=(Slot&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::move(other.pool_);
  host_ = std::move(other.host_);
  shared_ = std::move(other.shared_);
  reused_ = other.reused_;
  return *this;
}

ClientHttp2& ClientHttp2Pool::Slot::connection() const noexcept { return *shared_->connection; }

void ClientHttp2Pool::Slot::release() noexcept {
  if (shared_ == nullptr) return;
  pool_->release(host_, shared_);
  shared_.reset();
  host_.reset();
  pool_.reset();
}

ClientHttp2Pool::Dial& ClientHttp2Pool::Dial::operator=(Dial&& other) noexcept {
  if (this == &other) return *this;
  end();
  pool_ = std::move(other.pool_);
  host_ = std::move(other.host_);
  alone_ = other.alone_;
  return *this;
}

void ClientHttp2Pool::Dial::end() noexcept {
  if (host_ == nullptr) return;
  {
    const std::lock_guard guard(pool_->lock_);
    pool_->end_dial(*this, *host_);
    ++host_->failures;
    host_->changed.broadcast();
    pool_->forget_if_unused(*host_);
  }
  host_.reset();
}

void ClientHttp2Pool::Dial::not_spoken() noexcept {
  const std::shared_ptr<Host> host = std::move(host_);
  const std::lock_guard guard(pool_->lock_);
  pool_->end_dial(*this, *host);
  // Who thought otherwise has to look again; else there is room for one.
  if (pool_->speakers_.erase(host->origin) != 0 || alone_) {
    ++host->failures;
    host->changed.broadcast();
  } else {
    host->changed.signal();
  }
  pool_->forget_if_unused(*host);
}

// --- With lock_ held

std::shared_ptr<ClientHttp2Pool::Shared> ClientHttp2Pool::find(const Host& host) const {
  const auto found = std::find_if(host.connections.begin(), host.connections.end(),
                                  [](const auto& shared) { return shared->has_room(); });
  return found != host.connections.end() ? *found : nullptr;
}

bool ClientHttp2Pool::is_likely(const Host& host, bool expected) const {
  return expected || speakers_.contains(host.origin);
}

// Who dials may have to wait for a permit. As there are never more of them than connections are still allowed, those that
// they wait for are of HTTP/1.1, or about to end: so their turn comes.
bool ClientHttp2Pool::should_dial(const Host& host, bool expected, uint64_t failures) const {
  const auto& made = host.connections;
  const auto usable = std::count_if(made.begin(), made.end(),
                                    [](const auto& shared) { return shared->connection->usable(); });
  if (static_cast<std::size_t>(usable) + host.dialing >= limits_.max_per_host) return false;
  if (!is_likely(host, expected) || host.failures != failures) return true;
  return host.alone == 0 &&
         std::none_of(made.begin(), made.end(), [](const auto& shared) { return shared->is_coming(); });
}

ClientHttp2Pool::Slot ClientHttp2Pool::use(const std::shared_ptr<Host>& host,
                                           std::shared_ptr<Shared> shared) {
  Slot slot;
  if (shared->used++ == 0) std::erase(idle_, shared);
  ++host->users;
  slot.pool_ = shared_from_this();
  slot.host_ = host;
  slot.shared_ = std::move(shared);
  slot.reused_ = true;
  return slot;
}

void ClientHttp2Pool::remove(const std::shared_ptr<Shared>& shared, Retired& out) {
  out.push_back(shared);
  std::erase(idle_, shared);
  Host& host = *std::exchange(shared->host, nullptr);
  std::erase(host.connections, shared);
  forget_if_unused(host);
}

void ClientHttp2Pool::remove_expired(TimePoint time, Retired& out) {
  while (!idle_.empty() && time - idle_.front()->idle_since >= limits_.idle_timeout)
    remove(std::shared_ptr(idle_.front()), out);
}

void ClientHttp2Pool::drop_unusable(Host& host, Retired& out) {
  for (std::size_t i = host.connections.size(); i-- > 0;) {
    if (!host.connections[i]->connection->usable()) remove(std::shared_ptr(host.connections[i]), out);
  }
}

void ClientHttp2Pool::end_dial(const Dial& dial, Host& host) noexcept {
  --host.dialing;
  if (dial.alone_) --host.alone;
  --host.users;
}

void ClientHttp2Pool::forget_if_unused(const Host& host) noexcept {
  if (host.users != 0 || !host.connections.empty()) return;
  const auto found = hosts_.find(host.origin);
  if (found != hosts_.end() && found->second.get() == &host) hosts_.erase(found);
}

void ClientHttp2Pool::retire(const Retired& retired) noexcept {
  for (const std::shared_ptr<Shared>& shared : retired) shared->connection->retire();
}

// --- The pool

ClientHttp2Pool::~ClientHttp2Pool() {
  for (const auto& [origin, host] : hosts_) retire(host->connections);
}

ClientHttp2Pool::Place ClientHttp2Pool::take(const std::string& origin, bool expected, TimePoint deadline) {
  Retired unused;
  Place place;
  std::unique_lock lock(lock_);
  remove_expired(now(), unused);
  auto& entry = hosts_[origin];
  if (entry == nullptr) entry = std::make_shared<Host>(origin);
  const std::shared_ptr<Host> host = entry;
  struct User {
    ClientHttp2Pool& pool;
    Host& host;
    ~User() {
      --host.users;
      pool.forget_if_unused(host);
    }
  };
  ++host->users;
  const User user{*this, *host};
  drop_unusable(*host, unused);
  lock.unlock();
  retire(unused);
  lock.lock();
  const uint64_t failures = host->failures;
  std::shared_ptr<Shared> found;
  const bool chosen = host->changed.wait_until(lock, deadline, [&] {
    found = find(*host);
    return found != nullptr || should_dial(*host, expected, failures);
  });
  if (!chosen) throw DeadlineExceeded("no connection to the server became free in time");
  if (found != nullptr) {
    place.slot = use(host, std::move(found));
    return place;
  }
  place.dial.alone_ = is_likely(*host, expected) && host->alone == 0;
  place.dial.pool_ = shared_from_this();
  place.dial.host_ = host;
  ++host->users;
  ++host->dialing;
  if (place.dial.alone_) ++host->alone;
  return place;
}

ClientHttp2Pool::Slot ClientHttp2Pool::use_other(Dial& dial) {
  const std::lock_guard guard(lock_);
  std::shared_ptr<Shared> other = dial.alone_ ? nullptr : find(*dial.host_);
  if (other == nullptr) return {};
  Slot slot = use(dial.host_, std::move(other));
  end_dial(dial, *dial.host_);
  dial.host_->changed.signal();
  dial.host_.reset();
  return slot;
}

ClientHttp2Pool::Slot ClientHttp2Pool::add(Dial dial, ClientPool::Lease lease) {
  if (Slot slot = use_other(dial)) return slot;
  const std::lock_guard guard(lock_);
  const std::shared_ptr<Host> host = dial.host_;
  if (speakers_.size() >= kMaxSpeakers) speakers_.clear();
  speakers_.insert(host->origin);
  auto tell = [pool = weak_from_this(), of = std::weak_ptr(host)] {
    const auto still = pool.lock();
    const auto waits = of.lock();
    if (still == nullptr || waits == nullptr) return;
    const std::lock_guard told(still->lock_);
    waits->changed.broadcast();
  };
  auto shared = std::make_shared<Shared>(
      ClientHttp2::start(std::move(lease), connection_limits_, std::move(tell)), *host);
  host->connections.push_back(shared);
  Slot slot = use(host, std::move(shared));
  slot.reused_ = false;
  end_dial(dial, *host);
  dial.host_.reset();
  host->changed.broadcast();
  return slot;
}

void ClientHttp2Pool::release(const std::shared_ptr<Host>& host,
                              const std::shared_ptr<Shared>& shared) noexcept {
  Retired unused;
  {
    const std::lock_guard guard(lock_);
    const TimePoint time = now();
    --shared->used;
    --host->users;
    if (shared->host != nullptr && !shared->connection->usable()) {
      remove(shared, unused);
    } else if (shared->host != nullptr && shared->used == 0) {
      shared->idle_since = time;
      idle_.push_back(shared);
      bound_idle(*host, unused);
    }
    remove_expired(time, unused);
    forget_if_unused(*host);
    host->changed.signal();
  }
  retire(unused);
}

void ClientHttp2Pool::bound_idle(const Host& host, Retired& out) {
  const auto of_host = [&](const auto& shared) { return shared->host == &host; };
  if (static_cast<std::size_t>(std::count_if(idle_.begin(), idle_.end(), of_host)) >
      limits_.max_idle_per_host)
    remove(std::shared_ptr(*std::find_if(idle_.begin(), idle_.end(), of_host)), out);
  if (idle_.size() > limits_.max_idle) remove(std::shared_ptr(idle_.front()), out);
}

std::size_t ClientHttp2Pool::connections_for_test() {
  const std::lock_guard guard(lock_);
  std::size_t count = 0;
  for (const auto& [origin, host] : hosts_) count += host->connections.size();
  return count;
}

}  // namespace degu::http::internal
