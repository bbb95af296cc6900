// Root: a folder that names from outside cannot lead out of. Go's os.Root, without symbolic links.
#pragma once

#include <degu/net/file.h>

#include <string>
#include <utility>

namespace degu::net {

/// Opens files below one folder. The kernel resolves the whole name (openat2 with RESOLVE_BENEATH and
/// RESOLVE_NO_SYMLINKS), so neither "..", an absolute name, a symbolic link at any place, nor a folder that is moved
/// meanwhile leads elsewhere. Needs Linux 5.6. Movable while nobody is inside a call; open_file() is safe to call
/// concurrently. Waits for the disk as degu::blocking().
class Root {
 public:
  Root() noexcept = default;
  Root(Root&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  Root& operator=(Root&& other) noexcept;
  ~Root();

  /// Throws Error as File::open(), kUnimplemented when the kernel cannot resolve names in this way.
  static Root open(const std::string& folder);

  /// For reading. `name` is relative, with '/'; what it names may be a folder, as stat() says. Never waits for the other
  /// end of a named pipe. Throws Error: kNotFound when there is nothing of that name, or it is too long or holds a NUL;
  /// kPermissionDenied when it leads out, comes by a symbolic link, is a socket, or may not be read; else as File::open().
  File open_file(const std::string& name) const;

 private:
  Root(int fd, std::string path) noexcept : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  std::string path_;
};

}  // namespace degu::net
