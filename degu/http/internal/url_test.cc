#include <degu/base/testing/code_of.h>
#include <degu/http/internal/url.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http::internal {
namespace {

TEST(Url, IsTakenApart) {
  const Url plain = parse_url("http://Shop.Example/a?b#c");
  EXPECT_FALSE(plain.secure);
  EXPECT_EQ(plain.authority, "Shop.Example");
  EXPECT_EQ(plain.address, "shop.example:80");
  EXPECT_EQ(plain.target, "/a?b");
  EXPECT_EQ(plain.text(), "http://Shop.Example/a?b");
  EXPECT_EQ(plain.origin(), "http://shop.example:80");
  const Url secure = parse_url("HTTPS://[::1]:8443");
  EXPECT_TRUE(secure.secure);
  EXPECT_EQ(secure.host, "::1");
  EXPECT_EQ(secure.address, "[::1]:8443");
  EXPECT_EQ(secure.target, "/");
  EXPECT_EQ(parse_url("https://a?q").target, "/?q");
  EXPECT_EQ(parse_url("https://a").origin(), parse_url("https://A:443/x").origin());
  EXPECT_NE(parse_url("https://a").origin(), parse_url("http://a:443").origin());
}

TEST(Url, RefusesWhatCouldBeMisread) {
  for (const char* url :
       {"", "a", "ftp://a/", "http:/a", "http://", "http:///a", "http://u:p@a/", "http://a b/",
        "http://a\\b/", "http://a/\r\nX: y", "http://a:/", "http://a:x/", "http://a:123456/", "http://a:-1/",
        "http://:80/", "http://a/\xc3\xa4", "http://a\"b/"}) {
    EXPECT_EQ(degu::testing::code_of([&] { parse_url(url); }), Code::kInvalidArgument) << url;
  }
}

// RFC 3986 section 5.4, as far as its references are http.
TEST(Url, ResolvesReferences) {
  const Url base = parse_url("http://a/b/c/d;p?q");
  const std::pair<const char*, const char*> cases[] = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {";x", "http://a/b/c/;x"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"https://z/w", "https://z/w"},
      {"g?a:b", "http://a/b/c/g?a:b"},
  };
  for (const auto& [reference, expected] : cases)
    EXPECT_EQ(resolve_url(base, reference).text(), expected) << reference;
  EXPECT_EQ(resolve_url(parse_url("https://a:1"), "x").text(), "https://a:1/x");
}

TEST(Url, RefusesReferencesElsewhere) {
  const Url base = parse_url("http://a/b");
  for (const char* bad : {"javascript:alert(1)", "file:///etc/passwd", "//", "//u@b/", "/a b", "g:h"}) {
    EXPECT_EQ(degu::testing::code_of([&] { resolve_url(base, bad); }), Code::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace degu::http::internal
