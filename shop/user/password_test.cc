#include <degu/base/error.h>
#include <gtest/gtest.h>
#include <shop/user/password.h>

namespace shop::user {
namespace {

constexpr PasswordCost kCheap{.log_n = 4, .block = 1, .parallel = 1};

TEST(Password, FitsItsHashOnly) {
  const std::string hash = hash_password("correct horse", kCheap);
  EXPECT_TRUE(hash.starts_with("$scrypt$ln=4,r=1,p=1$")) << hash;
  EXPECT_TRUE(check_password("correct horse", hash));
  EXPECT_FALSE(check_password("correct horsE", hash));
  EXPECT_FALSE(check_password("", hash));
  EXPECT_NE(hash, hash_password("correct horse", kCheap)) << "salts must differ";
}

// RFC 7914 §12, second vector: password "password", salt "NaCl", N=1024, r=8, p=16, cut to 32 bytes.
TEST(Password, IsScrypt) {
  EXPECT_TRUE(check_password("password",
                             "$scrypt$ln=10,r=8,p=16$TmFDbA$_bq-HJ00cgB4VucZDQHp_nxq18vII3gw53N2Y0s3MWI"));
}

TEST(Password, RefusesWhatIsNoHash) {
  const std::string good = hash_password("x", kCheap);
  for (const std::string& hash :
       {std::string(), std::string("plain"), good.substr(0, good.size() - 1), good + "A", good.substr(1),
        std::string("$scrypt$ln=4,r=1,p=1$"), std::string("$scrypt$ln=40,r=8,p=1$AAAA$AAAA"),
        std::string("$scrypt$ln=-1,r=8,p=1$AAAA$AAAA"), std::string("$scrypt$ln=24,r=64,p=1$AAAA$AAAA")}) {
    EXPECT_FALSE(check_password("x", hash)) << hash;
  }
  EXPECT_THROW(hash_password("x", {.log_n = 30, .block = 8, .parallel = 1}), degu::Error);
}

}  // namespace
}  // namespace shop::user
