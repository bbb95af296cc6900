// RecycledMemory: an allocator whose blocks outlive the object that they were for.
#pragma once

#include <array>
#include <cstddef>

namespace degu::http::internal {

/// For libraries whose objects cannot be reset, only made anew: blocks that are freed wait for the next object. Keeps
/// up to kMaxKept of them with kMaxKeptBytes in all. Not thread-safe.
class RecycledMemory {
 public:
  static constexpr std::size_t kMaxKept = 32;
  static constexpr std::size_t kMaxKeptBytes = 2 * 1024 * 1024;

  RecycledMemory() = default;
  RecycledMemory(const RecycledMemory&) = delete;
  RecycledMemory& operator=(const RecycledMemory&) = delete;
  ~RecycledMemory();

  /// At most so many bytes are handed out at once from now on.
  void set_limit(std::size_t bytes) noexcept {
    limit_ = bytes;
    refused_ = false;
  }
  /// The limit has refused an allocation since it was set.
  bool refused() const noexcept { return refused_; }

  /// Null beyond the limit, or when the machine has none.
  void* allocate(std::size_t bytes) noexcept;
  void free(void* block) noexcept;

  /// For C interfaces: `self` is the RecycledMemory.
  static void* allocate_from(void* self, std::size_t bytes) noexcept {
    return static_cast<RecycledMemory*>(self)->allocate(bytes);
  }
  static void free_to(void* self, void* block) noexcept { static_cast<RecycledMemory*>(self)->free(block); }

 private:
  struct Block;

  Block* take(std::size_t bytes) noexcept;

  std::array<Block*, kMaxKept> kept_{};
  std::size_t kept_count_ = 0;
  std::size_t kept_bytes_ = 0;
  std::size_t used_bytes_ = 0;
  std::size_t limit_ = static_cast<std::size_t>(-1);
  bool refused_ = false;
};

}  // namespace degu::http::internal
