#include <degu/http/internal/date.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http::internal {
namespace {

constexpr std::time_t kExample = 784111777;  // 1994-11-06 08:49:37, of RFC 9110
constexpr std::time_t kNow = 1'800'000'000;  // 2027

TEST(HttpDate, ReadsTheThreeFormats) {
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_http_date(text, kNow), kExample) << text;
  }
  EXPECT_EQ(parse_http_date("Wed Nov 16 08:49:37 1994", kNow), kExample + 10 * 86400);
  EXPECT_EQ(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT", kNow), 0);
  EXPECT_EQ(parse_http_date("Sat, 29 Feb 2020 23:59:60 GMT", kNow), 1583020800);
}

TEST(HttpDate, ReadsWhatItWrites) {
  for (const std::time_t time :
       {std::time_t{0}, kExample, kNow, std::time_t{951782400}, std::time_t{253402300799}}) {
    std::string text(29, ' ');
    format_http_date(time, text.data());
    EXPECT_EQ(parse_http_date(text, kNow), time) << text;
  }
}

TEST(HttpDate, PlacesYearsOfTwoDigits) {
  const auto year = [](const std::string& digits) {
    const auto time = parse_http_date("Sunday, 06-Nov-" + digits + " 00:00:00 GMT", kNow);
    std::string text(29, ' ');
    format_http_date(time.value_or(0), text.data());
    return text.substr(12, 4);
  };
  EXPECT_EQ(year("27"), "2027");
  EXPECT_EQ(year("77"), "2077");
  EXPECT_EQ(year("78"), "1978");
  EXPECT_EQ(year("00"), "2000");
}

TEST(HttpDate, RefusesAllElse) {
  for (const char* text : {"",
                           "Sun",
                           "Sun,",
                           ",",
                           "1994-11-06T08:49:37Z",
                           "784111777",
                           "Sun, 06 Nov 1994 08:49:37 UTC",
                           "Sun, 06 Nov 1994 08:49:37 GMT ",
                           " Sun, 06 Nov 1994 08:49:37 GMT",
                           "sun, 06 nov 1994 08:49:37 gmt",
                           "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun, 31 Nov 1994 08:49:37 GMT",
                           "Sun, 29 Feb 2021 08:49:37 GMT",
                           "Sun, 00 Nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:00:00 GMT",
                           "Sun, 06 Nov 1994 08:60:00 GMT",
                           "Sun, 06 Nov 1994 08:00:61 GMT",
                           "Sun, 06 Nov 94 08:49:37 GMT",
                           "Sun, 06 Nov +994 08:49:37 GMT",
                           "Xyz, 06 Nov 1994 08:49:37 GMT",
                           "Sunday, 06-Nov-1994 08:49:37 GMT",
                           "Sunday, 06 Nov 94 08:49:37 GMT",
                           "Sun Nov 6 08:49:37 1994",
                           "Sun Nov  6 08:49:37 1994 GMT",
                           "Sun, 06 Now 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(text, kNow)) << text;
  }
}

}  // namespace
}  // namespace degu::http::internal
