#include <degu/http/internal/utf8.h>

namespace degu::http::internal {

std::size_t utf8_sequence(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(text[i])); };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return text.size() >= 2 && tail(1) ? 2 : 0;
  if (first < 0xF0) {
    if (text.size() < 3 || !tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (first > 0xF4 || text.size() < 4 || !tail(1) || !tail(2) || !tail(3)) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  if (first == 0xF4 && byte(1) > 0x8F) return 0;
  return 4;
}

bool is_utf8(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_sequence(text.substr(at));
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::size_t utf8_length(std::string_view text) noexcept {
  std::size_t at = 0;
  std::size_t count = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_sequence(text.substr(at));
    at += length == 0 ? 1 : length;
    ++count;
  }
  return count;
}

bool Utf8Stream::feed(std::string_view piece) noexcept {
  for (const char c : piece) {
    const auto byte = static_cast<unsigned>(static_cast<unsigned char>(c));
    if (left_ != 0) {
      if (byte < low_ || byte > high_) return false;
      low_ = 0x80;
      high_ = 0xBF;
      --left_;
      continue;
    }
    if (byte < 0x80) continue;
    if (byte < 0xC2 || byte > 0xF4) return false;
    left_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    if (byte == 0xE0) low_ = 0xA0;
    if (byte == 0xF0) low_ = 0x90;
    if (byte == 0xED) high_ = 0x9F;
    if (byte == 0xF4) high_ = 0x8F;
  }
  return true;
}

}  // namespace degu::http::internal
