#include <degu/app/internal/data_dir.h>
#include <degu/base/error.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace degu::app::internal {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error(Code::kPermissionDenied, "the data directory " + path + " cannot be used: " + why +
                                           "; name another one with --data-dir");
}

}  // namespace

DataDir::DataDir(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) refuse(path, error.message());
  const std::string lock = path + "/.lock";
  lock_fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) refuse(path, std::system_category().message(errno));
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    const int cause = errno;
    ::close(std::exchange(lock_fd_, -1));
    if (cause != EWOULDBLOCK) refuse(path, std::system_category().message(cause));
    throw Error(Code::kFailedPrecondition, "the data directory " + path +
                                               " is in use by another process; stop that one or name another "
                                               "directory with --data-dir");
  }
}

DataDir::~DataDir() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

DataDir::DataDir(DataDir&& other) noexcept : lock_fd_(std::exchange(other.lock_fd_, -1)) {}

DataDir& DataDir::operator=(DataDir&& other) noexcept {
  std::swap(lock_fd_, other.lock_fd_);
  return *this;
}

}  // namespace degu::app::internal
