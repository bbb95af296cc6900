#include <degu/base/error.h>
#include <degu/base/fault_point.h>
#include <degu/net/internal/errno_error.h>
#include <degu/net/root.h>
#include <degu/rt/run.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace degu::net {
namespace {

// A descriptor or -errno. glibc 2.36 has no function for this call.
int open_beneath(int folder, const char* name) noexcept {
  if (DEGU_FAULT_POINT("file.open")) return -EIO;
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: something was renamed while the kernel went through "..", so it cannot tell; rare, but not to be had for
  // ever.
  constexpr int kTries = 32;
  for (int i = 0; i < kTries; ++i) {
    const long fd = ::syscall(SYS_openat2, folder, name, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno != EAGAIN && errno != EINTR) return -errno;
  }
  return -EAGAIN;
}

Error refusal(int error, const std::string& name) {
  const std::string what = fmt::format("cannot open {}", name);
  switch (error) {
    case ENOTDIR:
    case ENAMETOOLONG:
      return internal::errno_error(ENOENT, what);
    case EXDEV:
    case ELOOP:
    case ENXIO:  // a socket
      return internal::errno_error(EACCES, what);
    default:
      return internal::errno_error(error, what);
  }
}

}  // namespace

Root& Root::operator=(Root&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

Root::~Root() {
  if (fd_ >= 0) ::close(fd_);
}

Root Root::open(const std::string& folder) {
  const int fd = blocking([&] {
    const int result = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return result >= 0 ? result : -errno;
  });
  if (fd < 0) throw internal::errno_error(-fd, fmt::format("cannot open {}", folder));
  Root root(fd, folder);
  const int probe = blocking([&] { return open_beneath(fd, "."); });
  // A filter of system calls that does not know this one answers EPERM.
  if (probe == -ENOSYS || probe == -EPERM) {
    throw Error(Code::kUnimplemented, "the kernel, or a filter of system calls, has no openat2");
  }
  if (probe < 0) throw internal::errno_error(-probe, fmt::format("cannot open {}", folder));
  ::close(probe);
  return root;
}

File Root::open_file(const std::string& name) const {
  if (fd_ < 0) throw internal::errno_error(EBADF, "cannot open a file of a folder that is not open");
  if (name.empty() || name.find('\0') != std::string::npos) throw refusal(ENOENT, name);
  const int fd = blocking([&] { return open_beneath(fd_, name.c_str()); });
  if (fd < 0) throw refusal(-fd, name);
  return File::adopt(fd, fmt::format("{}/{}", path_, name));
}

}  // namespace degu::net
