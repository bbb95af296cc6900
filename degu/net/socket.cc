#include <degu/net/internal/fd.h>
#include <degu/net/socket.h>
#include <sys/uio.h>

#include <cerrno>

namespace degu::net {

Socket::Socket(int fd) : end_(internal::Fd::open(fd, internal::FdKind::kSocket)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    if (end_ != nullptr) end_->release();
    end_ = std::exchange(other.end_, nullptr);
  }
  return *this;
}

Socket::~Socket() {
  if (end_ != nullptr) end_->release();
}

IoResult Socket::read(std::span<char> into, TimePoint deadline) noexcept {
  if (end_ == nullptr) return {0, EBADF};
  return end_->read(into, deadline);
}

IoResult Socket::writev(std::span<const iovec> parts, TimePoint deadline) noexcept {
  if (end_ == nullptr) return {0, EBADF};
  return end_->writev(parts, deadline);
}

int Socket::wait(rt::Direction direction, TimePoint deadline) noexcept {
  return end_ == nullptr ? EBADF : end_->wait(direction, deadline);
}

void Socket::set_deadline(rt::Direction direction, TimePoint deadline) noexcept {
  if (end_ != nullptr) end_->set_deadline(direction, deadline);
}

void Socket::shutdown_write() noexcept {
  if (end_ != nullptr) end_->shutdown_write();
}

void Socket::interrupt() noexcept {
  if (end_ != nullptr) end_->interrupt();
}

void Socket::close() noexcept {
  if (end_ != nullptr) end_->close();
}

std::string Socket::local_address() const { return end_ != nullptr ? end_->local_address() : std::string(); }

std::string Socket::peer_address() const { return end_ != nullptr ? end_->peer_address() : std::string(); }

}  // namespace degu::net
