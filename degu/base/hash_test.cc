#include <degu/base/hash.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

namespace degu {
namespace {

// The key of the paper's vectors: bytes 00 to 0f.
constexpr HashKey kPaperKey{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

std::string counting(std::size_t length) {
  std::string bytes;
  for (std::size_t i = 0; i < length; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

TEST(SipHash, VectorsOfThePaper) {
  EXPECT_EQ(sip_hash_2_4(kPaperKey, counting(0)), 0x726fdb47dd0e0e31ULL);
  EXPECT_EQ(sip_hash_2_4(kPaperKey, counting(15)), 0xa129ca6149be45e5ULL);
}

TEST(SipHash, DependsOnTheKeyAndEveryByte) {
  EXPECT_NE(sip_hash_1_3({1, 2}, "request"), sip_hash_1_3({1, 3}, "request"));
  EXPECT_NE(sip_hash_1_3({1, 2}, "request"), sip_hash_2_4({1, 2}, "request"));
  std::set<uint64_t> seen;
  for (std::size_t length = 0; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      std::string bytes(length, '\0');
      bytes[at] = 1;
      seen.insert(sip_hash_1_3(kPaperKey, bytes));
    }
  }
  EXPECT_EQ(seen.size(), 40U * 39U / 2U);
}

// Keys chosen to collide in a table that takes numbers as they are.
TEST(KeyedHash, SpreadsChosenNumbers) {
  std::set<uint64_t> low_bits;
  for (uint64_t i = 0; i < 1000; ++i) low_bits.insert(KeyedHash<uint64_t>{}(i << 20) % 4096);
  EXPECT_GT(low_bits.size(), 700U);  // 886 expected; equal hashes would give 1
}

TEST(KeyedHash, StringsAndViewsAgree) {
  EXPECT_EQ(KeyedHash<std::string>{}("key"), KeyedHash<std::string_view>{}("key"));
  EXPECT_NE(process_hash_key()[0], 0U);
}

}  // namespace
}  // namespace degu
