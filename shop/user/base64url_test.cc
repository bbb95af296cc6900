#include <gtest/gtest.h>
#include <shop/user/base64url.h>

namespace shop::user {
namespace {

TEST(Base64Url, RoundTrips) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
    bytes.push_back(static_cast<char>(i * 7));
  }
  EXPECT_EQ(to_base64url("\xfb\xff\xfe"), "-__-");
}

TEST(Base64Url, IsStrict) {
  for (const char* text : {"A", "AAAAA", "AA==", "A+AA", "A/AA", "AB", "AAB", "AA A", "AA\n"}) {
    EXPECT_FALSE(from_base64url(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace shop::user
