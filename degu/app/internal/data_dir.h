// DataDir: the directory a process keeps its state in, its own while it runs.
#pragma once

#include <string>

namespace degu::app::internal {

/// Makes the directory if need be, checks that it can be written to, and locks it against other processes
/// until the end of the object (or of the process, however it ends).
class DataDir {
 public:
  DataDir() noexcept = default;
  /// Blocks on the disk. Throws Error that says what to do: kPermissionDenied, kFailedPrecondition when
  /// another process has it.
  explicit DataDir(const std::string& path);
  ~DataDir();
  DataDir(DataDir&& other) noexcept;
  DataDir& operator=(DataDir&& other) noexcept;

 private:
  int lock_fd_ = -1;
};

}  // namespace degu::app::internal
