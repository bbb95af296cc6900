#include <degu/rpc/internal/base64.h>
#include <degu/rpc/internal/pattern.h>
#include <degu/rpc/internal/time_text.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>

namespace degu::rpc {
namespace {

using codec::internal::decode_base64;
using codec::internal::encode_base64;
using codec::internal::format_duration;
using codec::internal::format_timestamp;
using codec::internal::parse_duration;
using codec::internal::parse_timestamp;
using validation::Pattern;
using validation::pattern_fault;

TEST(Base64, Rfc4648Vectors) {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), bytes);
    EXPECT_EQ(decode_base64(text.substr(0, text.find('='))), bytes);
  }
}

TEST(Base64, RefusesWhatNoBytesGive) {
  for (const char* text : {"a", "abcde", "ab=", "a===", "=", "==", "ab==c", "ab c",
                           "Zh==", "Zm9=", "Zm9v=", "Zm9v====", "Zg\n=="}) {
    EXPECT_FALSE(decode_base64(text)) << text;
  }
}

TEST(TimeText, Timestamps) {
  const std::pair<const char*, const char*> same[] = {
      {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
      {"2024-02-29T23:59:59.123456789Z", "2024-02-29T23:59:59.123456789Z"},
      {"2026-03-01T12:00:00.5+02:30", "2026-03-01T09:30:00.500Z"},
      {"1969-12-31t23:59:59.999999-00:01", "1970-01-01T00:00:59.999999Z"},
      {"1700-01-01T00:00:00.000000001Z", "1700-01-01T00:00:00.000000001Z"}};
  for (const auto& [in, out] : same) {
    const auto time = parse_timestamp(in);
    ASSERT_TRUE(time) << in;
    EXPECT_EQ(format_timestamp(*time).str(), out);
  }
  EXPECT_EQ(format_timestamp(Timestamp::min()).str(), "1677-09-21T00:12:43.145224192Z");
  for (const char* text :
       {"", "2026-03-01", "2026-03-01 12:00:00Z", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z", "2026-03-01T12:00:60Z",
        "2026-03-01T12:00:00", "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00.1234567890Z",
        "2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00+0100", "2026-03-01T12:00:00Zx",
        "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-026-03-01T12:00:00Z", "2026-3-01T12:00:00Z"}) {
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
}

TEST(TimeText, Durations) {
  using std::chrono::nanoseconds;
  const std::pair<int64_t, const char*> same[] = {
      {0, "0s"},
      {1'500'000'000, "1.500s"},
      {-1, "-0.000000001s"},
      {-2'000'001'000, "-2.000001s"},
      {std::numeric_limits<int64_t>::max(), "9223372036.854775807s"},
      {std::numeric_limits<int64_t>::min(), "-9223372036.854775808s"}};
  for (const auto& [count, text] : same) {
    EXPECT_EQ(format_duration(nanoseconds(count)).str(), text);
    EXPECT_EQ(parse_duration(text), nanoseconds(count)) << text;
  }
  for (const char* text : {"", "s", "1", "1.s", ".5s", "1 s", "+1s", "--1s", "9223372037s",
                           "9223372036.854775808s", "1.0000000000s"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Pattern, Matches) {
  struct Case {
    const char* pattern;
    const char* text;
    bool matches;
  };
  const Case cases[] = {{"abc", "abc", true},
                        {"abc", "abcd", false},
                        {"abc", "ab", false},
                        {"", "", true},
                        {"a?b", "b", true},
                        {"a?b", "ab", true},
                        {"a*b", "aaab", true},
                        {"a+b", "b", false},
                        {"a+b", "aab", true},
                        {"[0-9]{3}", "123", true},
                        {"[0-9]{3}", "1234", false},
                        {"[0-9]{2,3}", "1", false},
                        {"[0-9]{2,3}", "123", true},
                        {"[0-9]{2,}", "12345", true},
                        {"x{0}", "", true},
                        {"x{0,1}y", "y", true},
                        {"[^@]+@[^@]+", "a@b", true},
                        {"[^@]+@[^@]+", "a@b@", false},
                        {"a\\.b", "a.b", true},
                        {"a\\.b", "axb", false},
                        {".", "ü", true},
                        {"..", "ü", false},
                        {"[ä-ü]+", "öü", true},
                        {"[a]?", "x", false},
                        {"[a\\]]+", "]a", true},
                        {"[a-]+", "-a", true},
                        {"a*a*a*a*b", "aaaaaaaaaaaaac", false},
                        {".*x.*", "abcxdef", true},
                        {"[!-~]+", "a b", false},
                        {".", "\xff", false}};
  for (const Case& c : cases) {
    EXPECT_EQ(Pattern(c.pattern).matches(c.text), c.matches) << c.pattern << " on " << c.text;
  }
}

TEST(Pattern, IsLinear) {
  const Pattern pattern("a*a*a*a*a*a*a*a*a*a*b");
  EXPECT_FALSE(pattern.matches(std::string(20000, 'a')));
}

TEST(Pattern, RefusesWhatItDoesNotKnow) {
  for (const char* bad : {"(a)", "a|b", "^a", "a$", "*a", "a{", "a{x}", "a{3", "a{3,2}", "[a", "[]", "[z-a]",
                          "a\\", "a{513}", "[a-z]{300}[a-z]{300}", "\xff"}) {
    EXPECT_THROW(Pattern{bad}, std::invalid_argument) << bad;
    EXPECT_NE(pattern_fault(bad), "");
  }
  EXPECT_EQ(pattern_fault("[a-z]{1,64}"), "");
}

}  // namespace
}  // namespace degu::rpc
