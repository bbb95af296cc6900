#include <degu/base/error.h>
#include <degu/net/address.h>
#include <gtest/gtest.h>

namespace degu::net {
namespace {

TEST(Address, ReadsAndWritesText) {
  for (const char* text :
       {"127.0.0.1:80", "[::1]:443", "[2001:db8::2]:0", "[fe80::1%7]:9", "0.0.0.0:65535"}) {
    EXPECT_EQ(to_string(Address::parse(text)), text);
  }
  const Address v6 = Address::parse("[::1]:443");
  EXPECT_TRUE(v6.is_v6());
  EXPECT_TRUE(v6.is_loopback());
  EXPECT_EQ(v6.host(), "::1");
  EXPECT_EQ(v6.port(), 443);
  EXPECT_TRUE(Address::parse("127.9.9.9:1").is_loopback());
  EXPECT_FALSE(Address::parse("128.0.0.1:1").is_loopback());
  EXPECT_EQ(to_string(Address()), "");
  EXPECT_FALSE(Address());
}

TEST(Address, RejectsWhatIsNone) {
  for (const char* text : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "localhost:80",
                           "1.2.3:4", "[::1:80", "[fe80::1%nosuchif0]:1", "1.2.3.4:-1"}) {
    EXPECT_THROW(Address::parse(text), Error) << text;
  }
}

TEST(Address, ComparesByAddressAndPort) {
  Address a = Address::parse("127.0.0.1:80");
  EXPECT_EQ(a, Address::parse("127.0.0.1:80"));
  EXPECT_NE(a, Address::parse("127.0.0.1:81"));
  a.set_port(81);
  EXPECT_EQ(a, Address::parse("127.0.0.1:81"));
}

}  // namespace
}  // namespace degu::net
