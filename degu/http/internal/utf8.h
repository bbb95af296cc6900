// UTF-8 by RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace degu::http::internal {

/// Length of the valid sequence that `text` starts with; 0 if it starts with none.
std::size_t utf8_sequence(std::string_view text) noexcept;

bool is_utf8(std::string_view text) noexcept;

/// Number of code points; of bytes where the text is not valid.
std::size_t utf8_length(std::string_view text) noexcept;

/// Checks a text that comes in pieces.
class Utf8Stream {
 public:
  /// False: what has come so far is not the beginning of a valid text; nor is whatever comes behind.
  bool feed(std::string_view piece) noexcept;
  /// No sequence is incomplete.
  bool complete() const noexcept { return left_ == 0; }

 private:
  unsigned left_ = 0;  // bytes of the sequence that are to come
  unsigned low_ = 0x80;
  unsigned high_ = 0xBF;  // between which the next of them is
};

}  // namespace degu::http::internal
