#include <degu/http/internal/fields.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace degu::http::internal {
namespace {

// RFC 9110 section 5.5: HTAB, SP, VCHAR and obs-text.
bool allowed(int byte) { return byte == '\t' || (byte >= 0x20 && byte != 0x7F); }

// Each byte at each place, alone and behind a tab, around the widths of what is looked at together.
TEST(Fields, AValueHasNoControlCharacter) {
  EXPECT_TRUE(is_field_value(""));
  for (std::size_t length = 1; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(length, at % 2 == 0 ? 'a' : '\xE4');
        text[at] = static_cast<char>(byte);
        ASSERT_EQ(is_field_value(text), allowed(byte)) << length << ' ' << at << ' ' << byte;
        if (at == 0) continue;
        text[0] = '\t';
        ASSERT_EQ(is_field_value(text), allowed(byte)) << length << ' ' << at << ' ' << byte;
      }
    }
  }
}

TEST(Fields, ATokenHasOnlyTokenCharacters) {
  EXPECT_FALSE(is_token(""));
  const std::string_view chars =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~";
  EXPECT_TRUE(is_token(chars));
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    EXPECT_EQ(is_token_char(c), chars.find(c) != std::string_view::npos) << byte;
  }
}

TEST(Fields, DigitsSaturate) {
  EXPECT_EQ(parse_digits("0"), 0U);
  EXPECT_EQ(parse_digits("0000000000000000000000000000065535"), 65535U);
  EXPECT_EQ(parse_digits("18446744073709551614"), std::numeric_limits<uint64_t>::max() - 1);
  EXPECT_EQ(parse_digits("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parse_digits("18446744073709551616"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(parse_digits("99999999999999999999999"), std::numeric_limits<uint64_t>::max());
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "1,2", "0x10", "1a"})
    EXPECT_EQ(parse_digits(bad), std::nullopt);
}

}  // namespace
}  // namespace degu::http::internal
