#include <degu/base/error.h>
#include <degu/base/random.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <shop/user/token.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace shop::user {
namespace {

using degu::Code;
using degu::Error;

constexpr std::size_t kSecretBytes = 32;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail(const char* what, const std::string& path) {
  const int error = errno;
  throw Error(Code::kUnavailable, fmt::format("cannot {} {}: {}", what, path, strerrordesc_np(error)));
}

std::string read_secret(int fd, const std::string& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail("look at", path);
  if ((status.st_mode & 0077) != 0) {
    throw Error(Code::kFailedPrecondition, fmt::format("others may read the secret: run chmod 600 {}", path));
  }
  std::array<char, 4096> buffer{};
  const ssize_t size = ::read(fd, buffer.data(), buffer.size());
  if (size < 0) fail("read", path);
  if (static_cast<std::size_t>(size) < kSecretBytes) {
    throw Error(Code::kFailedPrecondition,
                fmt::format("the secret in {} is too short; delete it to get a new one", path));
  }
  return {buffer.data(), static_cast<std::size_t>(size)};
}

// Written beside and renamed, so that a crash leaves either no secret or a whole one.
std::string make_secret(const std::string& path) {
  std::array<char, kSecretBytes> secret{};
  degu::secure_random(std::as_writable_bytes(std::span(secret)));
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) fail("create", fresh);
  if (::write(file.get(), secret.data(), secret.size()) != static_cast<ssize_t>(secret.size()))
    fail("write", fresh);
  if (::fsync(file.get()) != 0) fail("flush", fresh);
  if (::rename(fresh.c_str(), path.c_str()) != 0) fail("rename to", path);
  return {secret.data(), secret.size()};
}

}  // namespace

std::string load_or_make_secret(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() >= 0) return read_secret(file.get(), path);
  if (errno != ENOENT) fail("open", path);
  return make_secret(path);
}

}  // namespace shop::user
