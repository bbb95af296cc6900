#include <degu/base/error.h>
#include <degu/base/fault_point.h>
#include <degu/base/random.h>
#include <degu/net/file.h>
#include <degu/net/internal/errno_error.h>
#include <degu/net/internal/fd_lock.h>
#include <degu/rt/run.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace degu::net {
namespace internal {

// A descriptor that close() may come to from anywhere; freed as internal::Fd.
class FileHandle {
 public:
  FileHandle(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;

  // Repeats `call(fd)`, which returns a count or -errno, while it is interrupted. The calling goroutine's turn.
  template <class Call>
  ssize_t positioned(Call call) noexcept {
    const FdLock::Entry entry = lock_.lock(rt::Direction::kRead, kNever);
    if (entry.release) release_descriptor();
    if (entry.error != 0) return -entry.error;
    const ssize_t result = blocking([&] { return call(fd_); });
    if (lock_.unlock(rt::Direction::kRead)) release_descriptor();
    return result;
  }
  // Beside others.
  template <class Call>
  ssize_t shared(Call call) noexcept {
    if (!lock_.add_ref()) return -EBADF;
    const ssize_t result = blocking([&] { return call(fd_); });
    if (lock_.drop_ref()) release_descriptor();
    return result;
  }
  // As shared(), for what throws.
  template <class Call>
  void must(const char* what, Call call) {
    const ssize_t result = shared(call);
    if (result < 0) throw errno_error(static_cast<int>(-result), fmt::format("cannot {} {}", what, path_));
  }

  void close() noexcept {
    if (lock_.close() && lock_.drop_ref()) release_descriptor();
  }
  void release() noexcept {
    close();
    if (lock_.abandon()) delete this;
  }
  int fd() const noexcept { return lock_.closed() ? -1 : fd_; }

 private:
  ~FileHandle() = default;

  // close(2) may write: on network file systems, for example.
  void release_descriptor() noexcept {
    blocking([this] { ::close(fd_); });
    if (lock_.released()) delete this;
  }

  int fd_;
  std::string path_;
  FdLock lock_;
};

}  // namespace internal

namespace {

using internal::errno_error;

ssize_t or_errno(ssize_t result) noexcept { return result >= 0 ? result : -errno; }

IoResult to_result(ssize_t n) noexcept {
  return n >= 0 ? IoResult{static_cast<std::size_t>(n), 0} : IoResult{0, static_cast<int>(-n)};
}

// Calls `call(done)` until it has done `total` bytes, comes to the end or fails. A part counts, the error then comes
// with the next call.
template <class Call>
IoResult repeat(std::size_t total, Call call) noexcept {
  std::size_t done = 0;
  while (done < total) {
    const ssize_t n = or_errno(call(done));
    if (n == -EINTR) continue;
    if (n < 0) return {done, static_cast<int>(-n)};
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return {done, 0};
}

// What a simulation lets happen to a write of `size` bytes: so many are written, then comes the error.
struct PlannedWrite {
  std::size_t bytes;
  int error;
};

PlannedWrite planned_write(std::size_t size) noexcept {
  int error = 0;
  if (DEGU_FAULT_POINT("file.write")) error = EIO;
  if (DEGU_FAULT_POINT("file.full")) error = ENOSPC;
  return {error == 0 ? size : static_cast<std::size_t>(random_u64() % (size + 1)), error};
}

// The same for a read: it fails, or stops early.
int planned_read(std::size_t& size) noexcept {
  if (DEGU_FAULT_POINT("file.read")) return EIO;
  if (size > 1 && DEGU_FAULT_POINT("file.short_read"))
    size = 1 + static_cast<std::size_t>(random_u64() % (size - 1));
  return 0;
}

// write(2) or pwrite(2) by `call(done, size)`, until all is written.
template <class Call>
IoResult write_fully(std::size_t total, Call call) noexcept {
  const PlannedWrite plan = planned_write(total);
  IoResult result = repeat(plan.bytes, [&](std::size_t done) { return call(done, plan.bytes - done); });
  if (result.error == 0) result.error = plan.error;
  return result;
}

int sync_raw(int fd, bool all) noexcept {
  if (DEGU_FAULT_POINT("file.sync")) return EIO;
  return (all ? ::fsync(fd) : ::fdatasync(fd)) == 0 ? 0 : errno;
}

int flags_of(const OpenOptions& options) noexcept {
  const bool writes = options.write || options.append;
  int flags = O_CLOEXEC | (writes ? (options.read ? O_RDWR : O_WRONLY) : O_RDONLY);
  if (options.append) flags |= O_APPEND;
  if (options.create) flags |= O_CREAT;
  if (options.exclusive) flags |= O_EXCL;
  if (options.truncate) flags |= O_TRUNC;
  if (!options.follow_links) flags |= O_NOFOLLOW;
  return flags;
}

FileType type_of(mode_t mode) noexcept {
  if (S_ISREG(mode)) return FileType::kRegular;
  if (S_ISDIR(mode)) return FileType::kFolder;
  return S_ISLNK(mode) ? FileType::kLink : FileType::kOther;
}

// In blocking(): 0 or an errno.
int write_file(int fd, std::string_view bytes, bool sync) noexcept {
  const IoResult result = write_fully(bytes.size(), [&](std::size_t done, std::size_t size) {
    return ::write(fd, bytes.data() + done, size);
  });
  if (result.error != 0) return result.error;
  return sync ? sync_raw(fd, true) : 0;
}

int open_raw(const std::string& path, int flags, uint32_t permissions) noexcept {
  if (DEGU_FAULT_POINT("file.open")) return -EIO;
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags, static_cast<mode_t>(permissions));
  } while (fd < 0 && errno == EINTR);
  return fd >= 0 ? fd : -errno;
}

int replace_file(const std::string& path, std::string_view bytes, uint32_t permissions) {
  const std::string folder = path.find('/') == std::string::npos ? "." : path.substr(0, path.rfind('/') + 1);
  const std::string beside = fmt::format("{}.{:016x}.tmp", path, random_u64());
  const int fd = open_raw(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions);
  if (fd < 0) return -fd;
  int error = write_file(fd, bytes, true);
  if (::close(fd) != 0 && error == 0) error = errno;
  if (error == 0 && ::rename(beside.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(beside.c_str());
    return error;
  }
  // The new name has to be on the disk, too.
  const int dir = open_raw(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (dir < 0) return -dir;
  error = sync_raw(dir, true);
  if (error == EINVAL) error = 0;
  ::close(dir);
  return error;
}

int overwrite_file(const std::string& path, std::string_view bytes, uint32_t permissions) noexcept {
  const int fd = open_raw(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, permissions);
  if (fd < 0) return -fd;
  int error = write_file(fd, bytes, false);
  if (::close(fd) != 0 && error == 0) error = errno;
  return error;
}

FileType type_of(const dirent& entry, int dir) noexcept {
  if (entry.d_type != DT_UNKNOWN) return type_of(static_cast<mode_t>(DTTOIF(entry.d_type)));
  struct stat info {};
  if (::fstatat(dir, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return FileType::kOther;
  return type_of(info.st_mode);
}

}  // namespace

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (handle_ != nullptr) handle_->release();
    handle_ = std::exchange(other.handle_, nullptr);
  }
  return *this;
}

File::~File() {
  if (handle_ != nullptr) handle_->release();
}

File File::open(const std::string& path, const OpenOptions& options) {
  const int fd = blocking([&] { return open_raw(path, flags_of(options), options.permissions); });
  if (fd < 0) throw errno_error(-fd, fmt::format("cannot open {}", path));
  return adopt(fd, path);
}

File File::adopt(int fd, const std::string& path) { return File(new internal::FileHandle(fd, path)); }

File File::create(const std::string& path, uint32_t permissions) {
  return open(path, {.write = true, .create = true, .truncate = true, .permissions = permissions});
}

IoResult File::read(std::span<char> into) noexcept {
  if (handle_ == nullptr) return {0, EBADF};
  return to_result(handle_->positioned([&](int fd) -> ssize_t {
    std::size_t size = into.size();
    if (const int error = planned_read(size); error != 0) return -error;
    ssize_t n = 0;
    do {
      n = or_errno(::read(fd, into.data(), size));
    } while (n == -EINTR);
    return n;
  }));
}

IoResult File::write(Bytes bytes) noexcept {
  if (handle_ == nullptr) return {0, EBADF};
  IoResult result;
  const ssize_t entered = handle_->positioned([&](int fd) -> ssize_t {
    result = write_fully(bytes.size(), [&](std::size_t done, std::size_t size) {
      return ::write(fd, bytes.data() + done, size);
    });
    return 0;
  });
  return entered < 0 ? to_result(entered) : result;
}

IoResult File::pread(std::span<char> into, uint64_t offset) noexcept {
  if (handle_ == nullptr) return {0, EBADF};
  IoResult result;
  const ssize_t entered = handle_->shared([&](int fd) -> ssize_t {
    if (DEGU_FAULT_POINT("file.read")) return -EIO;
    result = repeat(into.size(), [&](std::size_t done) {
      return ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    });
    return 0;
  });
  return entered < 0 ? to_result(entered) : result;
}

IoResult File::pwrite(Bytes bytes, uint64_t offset) noexcept {
  if (handle_ == nullptr) return {0, EBADF};
  IoResult result;
  const ssize_t entered = handle_->shared([&](int fd) -> ssize_t {
    result = write_fully(bytes.size(), [&](std::size_t done, std::size_t size) {
      return ::pwrite(fd, bytes.data() + done, size, static_cast<off_t>(offset + done));
    });
    return 0;
  });
  return entered < 0 ? to_result(entered) : result;
}

void File::seek(uint64_t offset) {
  if (handle_ == nullptr) throw errno_error(EBADF, "cannot seek in a file that is not open");
  const ssize_t result = handle_->positioned(
      [&](int fd) { return or_errno(::lseek(fd, static_cast<off_t>(offset), SEEK_SET)); });
  if (result < 0) throw errno_error(static_cast<int>(-result), "cannot seek");
}

void File::sync(bool all) {
  if (handle_ == nullptr) throw errno_error(EBADF, "cannot sync a file that is not open");
  handle_->must("sync", [&](int fd) -> ssize_t { return -sync_raw(fd, all); });
}

void File::truncate(uint64_t bytes) {
  if (handle_ == nullptr) throw errno_error(EBADF, "cannot truncate a file that is not open");
  handle_->must("truncate", [&](int fd) { return or_errno(::ftruncate(fd, static_cast<off_t>(bytes))); });
}

FileInfo File::stat() const {
  if (handle_ == nullptr) throw errno_error(EBADF, "cannot look at a file that is not open");
  struct stat raw {};
  handle_->must("look at", [&](int fd) { return or_errno(::fstat(fd, &raw)); });
  FileInfo info;
  info.bytes = static_cast<uint64_t>(raw.st_size);
  info.type = type_of(raw.st_mode);
  info.permissions = raw.st_mode & 07777U;
  info.modified = std::chrono::seconds(raw.st_mtim.tv_sec) + std::chrono::nanoseconds(raw.st_mtim.tv_nsec);
  return info;
}

void File::close() noexcept {
  if (handle_ != nullptr) handle_->close();
}

int File::fd() const noexcept { return handle_ != nullptr ? handle_->fd() : -1; }

std::string read_all(const std::string& path, std::size_t limit) {
  File file = File::open(path);
  const uint64_t expected = file.stat().bytes;
  std::string content;
  // One byte more than there should be, so that one read finds the end; what /proc shows has no size.
  std::size_t room = static_cast<std::size_t>(std::min<uint64_t>(expected, limit)) + 1;
  room = std::max<std::size_t>(room, 4096);
  while (content.size() <= limit) {
    const std::size_t had = content.size();
    content.resize(had + room);
    const IoResult got = file.read({content.data() + had, room});
    content.resize(had + got.bytes);
    if (got.error != 0) throw errno_error(got.error, fmt::format("cannot read {}", path));
    if (got.bytes == 0) return content;
    room = std::max<std::size_t>(4096, content.size());
  }
  throw Error(Code::kOutOfRange, fmt::format("{} has more than {} bytes", path, limit));
}

void write_all(const std::string& path, std::string_view bytes, const WriteOptions& options) {
  const int error = blocking([&] {
    return options.atomic ? replace_file(path, bytes, options.permissions)
                          : overwrite_file(path, bytes, options.permissions);
  });
  if (error != 0) throw errno_error(error, fmt::format("cannot write {}", path));
}

std::vector<DirEntry> Dir::list(const std::string& path, std::size_t limit) {
  std::vector<DirEntry> entries;
  const int error = blocking([&] {
    const auto close = [](DIR* dir) { ::closedir(dir); };
    const std::unique_ptr<DIR, decltype(close)> dir(::opendir(path.c_str()), close);
    if (dir == nullptr) return errno;
    if (DEGU_FAULT_POINT("file.read")) return EIO;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(dir.get());
      if (entry == nullptr) return errno;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (entries.size() == limit) return EOVERFLOW;
      entries.push_back({std::string(name), type_of(*entry, ::dirfd(dir.get()))});
    }
  });
  if (error == EOVERFLOW)
    throw Error(Code::kOutOfRange, fmt::format("{} holds more than {} entries", path, limit));
  if (error != 0) throw errno_error(error, fmt::format("cannot list {}", path));
  std::sort(entries.begin(), entries.end(),
            [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  return entries;
}

}  // namespace degu::net
