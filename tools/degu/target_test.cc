#include "target.h"

#include <degu/base/error.h>
#include <gtest/gtest.h>

namespace degu::bench {
namespace {

TEST(Target, KnowsThePartsOfAUrl) {
  const Target plain = parse_target("http://shop.example:8080/a/b?c=d#e");
  EXPECT_FALSE(plain.tls);
  EXPECT_EQ(plain.host, "shop.example");
  EXPECT_EQ(plain.authority, "shop.example:8080");
  EXPECT_EQ(plain.host_port, "shop.example:8080");
  EXPECT_EQ(plain.path, "/a/b?c=d");

  const Target bare = parse_target("https://shop.example");
  EXPECT_TRUE(bare.tls);
  EXPECT_EQ(bare.authority, "shop.example");
  EXPECT_EQ(bare.host_port, "shop.example:443");
  EXPECT_EQ(bare.path, "/");

  const Target six = parse_target("http://[::1]:81?q");
  EXPECT_EQ(six.host, "::1");
  EXPECT_EQ(six.host_port, "[::1]:81");
  EXPECT_EQ(six.path, "/?q");
  EXPECT_EQ(parse_target("http://[::1]").host_port, "[::1]:80");
}

TEST(Target, RefusesWhatItCannotAsk) {
  for (const char* url :
       {"", "shop.example", "ftp://a/", "HTTP://a/", "http://", "http://:80/", "http://a:/", "http://a:0/",
        "http://a:65536/", "http://a:x/", "http://u:p@a/", "http://a/b c", "http://a/\r\nX: y",
        "http://a/\xc3\xa4", "http://::1/", "http://[::1/", "http://a]b/"}) {
    EXPECT_THROW(parse_target(url), Error) << url;
  }
}

}  // namespace
}  // namespace degu::bench
