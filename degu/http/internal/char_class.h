// What a byte may be part of in HTTP, by table.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace degu::http::internal {

enum CharClass : uint8_t {
  kTokenChar = 1,   // tchar of RFC 9110 section 5.6.2
  kTargetChar = 2,  // of a request target: see below
  kHostChar = 4,    // of uri-host but for brackets, RFC 3986 section 3.2.2
  kValueChar = 8,   // of a field value: HTAB, SP, VCHAR, obs-text
  kHexChar = 16,
  kOddTargetChar = 32,  // '?', '%' and '.': a target without them is its path, as it stands
};

constexpr std::array<uint8_t, 256> make_char_classes() noexcept {
  std::array<uint8_t, 256> classes{};
  const auto add = [&](std::string_view chars, unsigned which) {
    for (const char c : chars) classes[static_cast<unsigned char>(c)] |= static_cast<uint8_t>(which);
  };
  const auto remove = [&](std::string_view chars, unsigned which) {
    for (const char c : chars) classes[static_cast<unsigned char>(c)] &= static_cast<uint8_t>(~which);
  };
  add("0123456789abcdefABCDEF", kHexChar);
  add("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~",
      kTokenChar | kHostChar);
  add("(),;=", kHostChar);
  remove("^`|#", kHostChar);
  for (unsigned c = 0x20; c < 0x100; ++c) classes[c] |= kValueChar;
  classes['\t'] |= kValueChar;
  classes[0x7F] &= static_cast<uint8_t>(~kValueChar);
  // Visible ASCII without what no URI may hold raw. '|', '^', '`', '{' and '}' are let through: browsers send them.
  for (unsigned c = 0x21; c < 0x7F; ++c) classes[c] |= kTargetChar;
  remove("\"<>#\\", kTargetChar);
  add("?%.", kOddTargetChar);
  return classes;
}
inline constexpr std::array<uint8_t, 256> kCharClasses = make_char_classes();

constexpr bool is(CharClass which, char c) noexcept {
  return (kCharClasses[static_cast<unsigned char>(c)] & which) != 0;
}

/// Where the run of such bytes that begins at `at` ends.
constexpr std::size_t skip(CharClass which, std::string_view text, std::size_t at) noexcept {
  while (at < text.size() && is(which, text[at])) ++at;
  return at;
}

}  // namespace degu::http::internal
