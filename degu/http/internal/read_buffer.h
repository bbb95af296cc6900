// ReadBuffer: the bytes that a connection has received and not used up, in one piece.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace degu::http::internal {

/// Grows by doubling up to what the caller allows; keeps its memory between requests unless that has become
/// large. data() changes only in make_room() and consume().
class ReadBuffer {
 public:
  char* data() noexcept { return memory_.get() + begin_; }
  std::size_t size() const noexcept { return end_ - begin_; }
  std::string_view view() const noexcept { return {memory_.get() + begin_, end_ - begin_}; }

  /// Room behind the data, at least one byte.
  std::span<char> make_room() {
    if (end_ == capacity_) {
      const bool compact = begin_ >= capacity_ / 2 && begin_ > 0;
      if (compact) {
        std::memmove(memory_.get(), data(), size());
      } else {
        grow(capacity_ == 0 ? kInitial : 2 * capacity_);
      }
      end_ -= begin_;
      begin_ = 0;
    }
    return {memory_.get() + end_, capacity_ - end_};
  }
  /// Bytes that were read into make_room().
  void commit(std::size_t bytes) noexcept { end_ += bytes; }
  /// Holds a copy of `bytes`, in memory of just that size, in place of what it held.
  void assign(std::string_view bytes) {
    *this = ReadBuffer();
    if (bytes.empty()) return;
    grow(bytes.size());
    std::memcpy(memory_.get(), bytes.data(), bytes.size());
    end_ = bytes.size();
  }
  /// Drops bytes at the front.
  void consume(std::size_t bytes) noexcept {
    begin_ += bytes;
    if (begin_ != end_) return;
    begin_ = end_ = 0;
    if (capacity_ > kKeep) {
      memory_.reset();
      capacity_ = 0;
    }
  }
  /// Cuts `bytes` out of the middle: what lies behind moves up.
  void erase(std::size_t offset, std::size_t bytes) noexcept {
    if (bytes == 0) return;
    std::memmove(data() + offset, data() + offset + bytes, size() - offset - bytes);
    end_ -= bytes;
  }

 private:
  static constexpr std::size_t kInitial = 4 * 1024;
  static constexpr std::size_t kKeep = 64 * 1024;

  void grow(std::size_t capacity) {
    auto memory = std::make_unique_for_overwrite<char[]>(capacity);
    if (size() > 0) std::memcpy(memory.get(), data(), size());
    memory_ = std::move(memory);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace degu::http::internal
