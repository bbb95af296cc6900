// Bytes: what is to be sent or written. A view.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

namespace degu::net {

/// Made of anything that is a row of char: std::string, std::string_view, std::span, std::vector, an array, a pointer and
/// a size. A constant array that ends with a zero is text, as a string literal is, and stands without that zero:
/// `stream.write("text")` sends four bytes. An array that can be written to stands as a whole: it is a buffer.
class Bytes {
 public:
  constexpr Bytes() noexcept = default;
  constexpr Bytes(const char* data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <std::size_t N>
  constexpr Bytes(const char (&text)[N]) noexcept  // implicit, as all these: a literal is an argument
      : data_(text), size_(text[N - 1] == '\0' ? N - 1 : N) {}
  template <std::size_t N>
  constexpr Bytes(char (&buffer)[N]) noexcept : data_(buffer), size_(N) {}
  template <class Row>
  requires(!std::is_array_v<Row> && !std::same_as<Row, Bytes> &&
           std::convertible_to<const Row&, std::span<const char>>) constexpr Bytes(const Row& row) noexcept {
    const std::span<const char> view = row;
    data_ = view.data();
    size_ = view.size();
  }

  constexpr const char* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr operator std::span<const char>() const noexcept { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace degu::net
