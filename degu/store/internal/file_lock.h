// FileLock: keeps a second process away from a database.
#pragma once

#include <string>
#include <utility>

namespace degu::store::internal {

/// An exclusive flock(2); the kernel drops it when the process ends, however it ends.
class FileLock {
 public:
  /// Throws Error(kUnavailable) when another process (or another Database of this one) holds it.
  static FileLock acquire(const std::string& path);

  FileLock() noexcept = default;
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    if (this != &other) {
      release();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~FileLock() { release(); }

 private:
  void release() noexcept;

  int fd_ = -1;
};

}  // namespace degu::store::internal
