#include <degu/http/internal/base64.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http::internal {
namespace {

TEST(Base64, RoundTrips) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    const std::string text = to_base64url(bytes);
    EXPECT_EQ(text.size(), (bytes.size() * 4 + 2) / 3);
    EXPECT_EQ(text.find_first_of("+/="), std::string::npos);
    EXPECT_EQ(from_base64url(text), bytes);
    bytes.push_back(static_cast<char>(i * 151));
  }
}

TEST(Base64, DecodesTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"Zg==", "f"},
                                                         {"Zm8=", "fo"},
                                                         {"Zm9v", "foo"},
                                                         {"Zm9vYg==", "foob"},
                                                         {"Zm9vYmE=", "fooba"},
                                                         {"Zm9vYmFy", "foobar"}};
  for (const auto& [text, bytes] : vectors) {
    EXPECT_EQ(from_base64(text), bytes);
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(to_base64url(bytes), std::string(text).substr(0, std::string(text).find('=')));
  }
  EXPECT_EQ(from_base64("+/+/"), "\xFB\xFF\xBF");
  EXPECT_EQ(from_base64url("-_-_"), "\xFB\xFF\xBF");
}

TEST(Base64, RefusesOtherSpellings) {
  for (const char* text : {"Zg", "Zg=", "Zg===", "Zg==Zg==", "Zh==", "Zm9=", "=",
                           "==", "====", "Z===", "Zm9v\n", "Zm 9v", "-_-_", "Zm9v=", "Z\xC3\xA9=="}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
  for (const char* text : {"Zg==", "Zh", "Zm9", "Z", "Zm9vZ", "+/+/", "Zm9v\n", "Zm.9"}) {
    EXPECT_EQ(from_base64url(text), std::nullopt) << text;
  }
  EXPECT_EQ(from_base64url(std::string("Zm\0v", 4)), std::nullopt);
}

}  // namespace
}  // namespace degu::http::internal
