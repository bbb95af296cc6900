#include <degu/base/error.h>
#include <degu/store/internal/file_lock.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace degu::store::internal {

FileLock FileLock::acquire(const std::string& path) {
  FileLock lock;
  lock.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock.fd_ < 0) {
    throw Error(Code::kUnavailable,
                fmt::format("cannot open {}: {}", path, std::generic_category().message(errno)));
  }
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
    throw Error(Code::kUnavailable, fmt::format("the database of {} is in use by another process", path));
  }
  return lock;
}

void FileLock::release() noexcept {
  if (const int fd = std::exchange(fd_, -1); fd >= 0) ::close(fd);
}

}  // namespace degu::store::internal
