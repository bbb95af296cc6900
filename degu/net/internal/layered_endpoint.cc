#include <degu/net/internal/layered_endpoint.h>

#include <cerrno>

namespace degu::net::internal {

LayeredEndpoint::Turn::Turn(LayeredEndpoint& endpoint, rt::Direction which, TimePoint deadline) noexcept
    : owner(endpoint), direction(which) {
  const FdLock::Entry entry = owner.lock_.lock(direction, deadline);
  error = entry.error;
  owner.leave(entry.release);
}

LayeredEndpoint::Turn::~Turn() {
  if (error == 0) owner.leave(owner.lock_.unlock(direction));
}

Accepted LayeredEndpoint::accept(TimePoint) noexcept { return {nullptr, EOPNOTSUPP}; }

void LayeredEndpoint::set_deadline(rt::Direction direction, TimePoint deadline) noexcept {
  inner_.set_deadline(direction, deadline);
}

void LayeredEndpoint::shutdown_write() noexcept { inner_.shutdown_write(); }

void LayeredEndpoint::interrupt() noexcept { inner_.interrupt(); }

void LayeredEndpoint::close() noexcept {
  if (!lock_.close()) return;
  before_close();
  inner_.close();
  leave(lock_.drop_ref());
}

void LayeredEndpoint::release() noexcept {
  close();
  if (lock_.abandon()) delete this;
}

}  // namespace degu::net::internal
