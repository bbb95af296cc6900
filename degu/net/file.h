// File and Dir: files for goroutines.
//
// A file never makes one wait in the poller, but its disk may make a thread wait: so each call runs as
// degu::blocking(), and other goroutines go on meanwhile. Calls are not cut short by the context.
//
// A simulation uses the files of the machine, and lets calls fail where its faults say so: "file.open", "file.read",
// "file.write" and "file.sync" with EIO, "file.full" with ENOSPC; a write that fails may have written a part. With
// "file.short_read" read() returns less than there is.
#pragma once

#include <degu/net/bytes.h>
#include <degu/net/io_result.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::net {

struct OpenOptions {
  bool read = true;
  bool write = false;
  bool append = false;          ///< writes go to the end; implies write
  bool create = false;          ///< makes the file if it is not there
  bool exclusive = false;       ///< with create: it must not be there
  bool truncate = false;        ///< empties it
  bool follow_links = true;     ///< false: a symbolic link at the end of the path is refused
  uint32_t permissions = 0644;  ///< of a file that is made, less the umask
};

enum class FileType : uint8_t { kRegular, kFolder, kLink, kOther };

struct FileInfo {
  uint64_t bytes = 0;
  FileType type = FileType::kOther;
  uint32_t permissions = 0;
  std::chrono::nanoseconds modified{0};  ///< since 1970
};

namespace internal {
class FileHandle;
}

/// An open file. Movable while nobody is inside a call; all other calls may come from any goroutine while it lives.
/// read() and write(), which share a position, take turns; the others run side by side.
///
/// Transfers return values as those of sockets do: EBADF after close(), ENOSPC, EIO. Everything else throws Error:
/// kNotFound, kAlreadyExists, kPermissionDenied, kResourceExhausted (no descriptor, no space), kInvalidArgument,
/// kFailedPrecondition (a folder, closed), kDataLoss (EIO).
class File {
 public:
  File() noexcept = default;
  File(File&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  File& operator=(File&& other) noexcept;
  ~File();

  static File open(const std::string& path, const OpenOptions& options = {});
  /// For reading and writing; made if it is not there, emptied if it is.
  static File create(const std::string& path, uint32_t permissions = 0644);

  /// Up to into.size() bytes from the position on; 0 bytes: the end.
  IoResult read(std::span<char> into) noexcept;
  /// All of it, from the position on.
  IoResult write(Bytes bytes) noexcept;
  /// As many bytes as there are at `offset`, up to into.size(); fewer: the end. The position does not change.
  IoResult pread(std::span<char> into, uint64_t offset) noexcept;
  /// All of it, at `offset`.
  IoResult pwrite(Bytes bytes, uint64_t offset) noexcept;
  /// Sets the position of read() and write(), from the start.
  void seek(uint64_t offset);

  /// Returns when data and what is needed to find it are on the disk (fdatasync; fsync with `all`).
  void sync(bool all = false);
  void truncate(uint64_t bytes);
  FileInfo stat() const;

  /// The descriptor is closed when the last call has returned; later calls fail. Errors of close(2) are not reported:
  /// sync() is what says that the data is safe.
  void close() noexcept;

  int fd() const noexcept;
  explicit operator bool() const noexcept { return fd() >= 0; }

 private:
  friend class Root;
  explicit File(internal::FileHandle* handle) noexcept : handle_(handle) {}
  // Takes over a descriptor.
  static File adopt(int fd, const std::string& path);

  internal::FileHandle* handle_ = nullptr;
};

inline constexpr std::size_t kMaxReadAll = 64 * 1024 * 1024;

/// The whole file. Throws Error(kOutOfRange) when it has more than `limit` bytes, also if it grows meanwhile.
std::string read_all(const std::string& path, std::size_t limit = kMaxReadAll);

struct WriteOptions {
  uint32_t permissions = 0644;
  bool atomic =
      false;  ///< others see the old content or the new, also after a crash: a synced copy takes its place
};
/// Makes `bytes` the content of the file.
void write_all(const std::string& path, std::string_view bytes, const WriteOptions& options = {});

struct DirEntry {
  std::string name;
  FileType type = FileType::kOther;
};

/// Folders.
class Dir {
 public:
  /// What the folder holds, but for "." and "..", ordered by name. Throws Error(kOutOfRange) for more than `limit`
  /// entries.
  static std::vector<DirEntry> list(const std::string& path, std::size_t limit = 1'000'000);
};

}  // namespace degu::net
