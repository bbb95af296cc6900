#include <degu/base/testing/code_of.h>
#include <degu/base/testing/fixed_time.h>
#include <degu/net/internal/ticket_keys.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

namespace degu::net::internal {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::FixedTime;

const std::string kSecret(32, 's');

TEST(TicketKeys, AreTheSameForAllWhoHaveTheSecret) {
  const FixedTime time;
  TicketKeys one(kSecret);
  TicketKeys two(kSecret);
  TicketKeys other(std::string(32, 't'));
  ASSERT_TRUE(one.current());
  EXPECT_EQ(one.current()->name, two.current()->name);
  EXPECT_EQ(one.current()->cipher, two.current()->cipher);
  EXPECT_EQ(one.current()->mac, two.current()->mac);
  EXPECT_NE(one.current()->name, other.current()->name);
  EXPECT_NE(one.current()->cipher, other.current()->cipher);
  EXPECT_NE(one.current()->cipher, one.current()->mac);
  EXPECT_FALSE(other.find(one.current()->name));
}

// A change of how they are made would end the sessions of a fleet that is updated one by one. By RFC 5869, computed with
// Python's hmac.
TEST(TicketKeys, AreMadeByHkdf) {
  const FixedTime time;  // period 21914
  TicketKeys keys(kSecret);
  EXPECT_EQ(keys.current()->name,
            (std::array<unsigned char, 16>{0x3e, 0x5d, 0x37, 0x2d, 0x73, 0x15, 0xf3, 0xbd, 0x76, 0xee, 0x85,
                                           0x07, 0x53, 0x0e, 0x2b, 0xc0}));
}

TEST(TicketKeys, ServeForAPeriodAndItsNeighbours) {
  FixedTime time;
  TicketKeys keys(kSecret);
  const TicketKeys::Key first = *keys.current();
  ASSERT_TRUE(keys.find(first.name));
  EXPECT_TRUE(keys.find(first.name)->current);
  EXPECT_EQ(keys.find(first.name)->key.cipher, first.cipher);
  time.advance(TicketKeys::kPeriod - 1ns);
  EXPECT_EQ(keys.current()->name, first.name);
  time.advance(1ns);
  const TicketKeys::Key second = *keys.current();
  EXPECT_NE(second.name, first.name);
  EXPECT_NE(second.cipher, first.cipher);
  ASSERT_TRUE(keys.find(first.name));
  EXPECT_FALSE(keys.find(first.name)->current);
  time.advance(TicketKeys::kPeriod);
  EXPECT_FALSE(keys.find(first.name));
  EXPECT_TRUE(keys.find(second.name));
  time.advance(-2 * TicketKeys::kPeriod);  // another's clock is ahead
  ASSERT_TRUE(keys.find(second.name));
  EXPECT_FALSE(keys.find(second.name)->current);
}

TEST(TicketKeys, WantALongSecret) {
  EXPECT_EQ(code_of([] { TicketKeys(std::string(31, 's')); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([] { TicketKeys(""); }), Code::kInvalidArgument);
}

}  // namespace
}  // namespace degu::net::internal
