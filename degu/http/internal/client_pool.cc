// A permit of the origin's semaphore stands for a connection in use. A new one is made only when none is idle, so those in
// use and idle together are never more than the permits. Lock order: lock_ alone; a permit is waited for without it.
#include <degu/base/error.h>
#include <degu/http/internal/client_pool.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

namespace degu::http::internal {

struct ClientPool::Host {
  Host(std::string name, std::size_t max) : origin(std::move(name)), slots(static_cast<int64_t>(max)) {}
  const std::string origin;
  Semaphore slots;
  std::size_t users = 0;  // leases, and those who wait for one; guarded by lock_
  std::size_t idle = 0;   // guarded by lock_
};

namespace {

// The other side may have closed it, or said something unasked, while it lay in the pool.
bool is_fresh(const net::TcpStream& stream) noexcept {
  char byte = 0;
  return !stream.has_buffered() && ::recv(stream.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

ClientPool::Lease& ClientPool::Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  drop();
  pool_ = std::move(other.pool_);
  host_ = std::move(other.host_);
  permitted_ = std::exchange(other.permitted_, false);
  stream_ = std::move(other.stream_);
  reused_ = other.reused_;
  return *this;
}

void ClientPool::Lease::drop() noexcept {
  if (pool_ == nullptr) return;
  stream_ = net::TcpStream();
  if (std::exchange(permitted_, false)) host_->slots.release();
  pool_->leave(host_);
  host_.reset();
  pool_.reset();
}

void ClientPool::Lease::give_back() {
  pool_->put(*host_, std::move(stream_));
  drop();
}

void ClientPool::remove_expired(TimePoint time, std::vector<Idle>& out) {
  for (auto at = idle_.begin(); at != idle_.end();) {
    if (time - at->since < limits_.idle_timeout) {
      ++at;
      continue;
    }
    if (--at->host->idle == 0 && at->host->users == 0) hosts_.erase(hosts_.find(at->host->origin));
    out.push_back(std::move(*at));
    at = idle_.erase(at);
  }
}

ClientPool::Lease ClientPool::take(const std::string& origin, TimePoint deadline, Want want) {
  std::vector<Idle> unused;
  Lease lease;
  {
    const std::lock_guard guard(lock_);
    auto& host = hosts_[origin];
    if (host == nullptr) host = std::make_shared<Host>(origin, limits_.max_per_host);
    ++host->users;
    lease.host_ = host;
    lease.pool_ = shared_from_this();
  }
  if (!lease.host_->slots.try_acquire_until(deadline))
    throw DeadlineExceeded("no connection to the server became free in time");
  lease.permitted_ = true;
  const std::lock_guard guard(lock_);
  remove_expired(now(), unused);
  for (std::size_t i = idle_.size(); i-- > 0;) {
    if (idle_[i].host != lease.host_.get()) continue;
    Idle found = std::move(idle_[i]);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
    --found.host->idle;
    if (want == Want::kAny && is_fresh(found.stream)) {
      lease.stream_ = std::move(found.stream);
      lease.reused_ = true;
      break;
    }
    unused.push_back(std::move(found));
    if (want == Want::kNew) break;  // its place is what the new one takes
  }
  return lease;
}

void ClientPool::put(Host& host, net::TcpStream stream) {
  std::vector<Idle> unused;
  const std::lock_guard guard(lock_);
  const TimePoint time = now();
  remove_expired(time, unused);
  if (host.idle >= limits_.max_idle_per_host || limits_.max_idle == 0) {
    unused.push_back({&host, time, std::move(stream)});
    return;
  }
  if (idle_.size() >= limits_.max_idle) {
    Idle& oldest = idle_.front();
    if (--oldest.host->idle == 0 && oldest.host->users == 0) hosts_.erase(hosts_.find(oldest.host->origin));
    unused.push_back(std::move(oldest));
    idle_.erase(idle_.begin());
  }
  ++host.idle;
  idle_.push_back({&host, time, std::move(stream)});
}

void ClientPool::leave(const std::shared_ptr<Host>& host) noexcept {
  const std::lock_guard guard(lock_);
  if (--host->users == 0 && host->idle == 0) hosts_.erase(hosts_.find(host->origin));
}

std::size_t ClientPool::idle_for_test() {
  const std::lock_guard guard(lock_);
  return idle_.size();
}

std::size_t ClientPool::hosts_for_test() {
  const std::lock_guard guard(lock_);
  return hosts_.size();
}

}  // namespace degu::http::internal
