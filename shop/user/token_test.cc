#include <degu/base/error.h>
#include <degu/base/testing/temp_dir.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <shop/user/base64url.h>
#include <shop/user/token.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <string>

namespace shop::user {
namespace {

constexpr int64_t kNow = 1'800'000'000;
const std::string kSecret(32, 's');

std::string signature(const std::string& text, const std::string& key = kSecret) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &size);
  return to_base64url({reinterpret_cast<const char*>(out.data()), size});
}

std::string make(const std::string& header, const std::string& claims, const std::string& key = kSecret) {
  const std::string text = to_base64url(header) + '.' + to_base64url(claims);
  return text + '.' + signature(text, key);
}

// The header that the authority itself writes, with one piece replaced.
std::string header_with(const std::string& from = "", const std::string& to = "") {
  const std::string token = TokenAuthority(kSecret).issue("7", kNow).text;
  std::string header = from_base64url(token.substr(0, token.find('.'))).value();
  if (!from.empty()) header.replace(header.find(from), from.size(), to);
  return header;
}

const std::string kClaims =
    R"({"iss":"degu-shop","aud":"shop","sub":"7","iat":1800000000,"nbf":1800000000,"exp":1800086400})";

std::string claims_with(const std::string& from, const std::string& to) {
  std::string claims = kClaims;
  return claims.replace(claims.find(from), from.size(), to);
}

std::string refusal(const std::string& token, int64_t now = kNow) {
  try {
    TokenAuthority(kSecret).verify(token, now);
    return "accepted";
  } catch (const degu::Error& error) {
    EXPECT_EQ(error.code(), degu::Code::kUnauthenticated) << token;
    return error.message().substr(std::string("the token is not valid: ").size());
  }
}

TEST(Token, RoundTrips) {
  const TokenAuthority authority(kSecret);
  const Token token = authority.issue("42", kNow);
  EXPECT_EQ(token.expires_at, kNow + 24 * 3600);
  const Claims claims = authority.verify(token.text, kNow + 10);
  EXPECT_EQ(claims.subject, "42");
  EXPECT_EQ(claims.expires_at, token.expires_at);
  EXPECT_EQ(authority.verify(make(header_with(), kClaims), kNow).subject, "7");
}

TEST(Token, AttacksOnTheHeader) {
  EXPECT_EQ(refusal(make(header_with("HS256", "none"), kClaims)), "its algorithm is not accepted");
  const std::string unsigned_text = to_base64url(header_with("HS256", "none")) + '.' + to_base64url(kClaims);
  EXPECT_EQ(refusal(unsigned_text + '.'), "its algorithm is not accepted");
  for (const char* other : {"None", "NONE", "hs256", "HS384", "HS512", "RS256", "ES256", ""}) {
    EXPECT_EQ(refusal(make(header_with("HS256", other), kClaims)), "its algorithm is not accepted") << other;
  }
  EXPECT_EQ(refusal(make(header_with("\"HS256\"", "null"), kClaims)), "its algorithm is not accepted");
  EXPECT_EQ(refusal(make(header_with("\"HS256\"", "[\"HS256\"]"), kClaims)), "its algorithm is not accepted");
  EXPECT_EQ(refusal(make(header_with("JWT", "JWE"), kClaims)), "its type is not JWT");
  EXPECT_EQ(refusal(make(header_with("\"typ\"", "\"crit\":[\"b64\"],\"typ\""), kClaims)),
            "it demands an extension");
  EXPECT_EQ(refusal(make(header_with("\"kid\":\"", "\"kid\":\"../"), kClaims)), "its key is not known");
  EXPECT_EQ(refusal(make(R"({"alg":"HS256","typ":"JWT"})", kClaims)), "its key is not known");
  EXPECT_EQ(refusal(make(R"({"alg":"none","alg":"HS256"})", kClaims)), "its header is malformed");
  EXPECT_EQ(refusal(make("[]", kClaims)), "its header is malformed");
  EXPECT_EQ(refusal(make("", kClaims)), "its header is malformed");
}

TEST(Token, AttacksOnTheSignature) {
  const std::string good = make(header_with(), kClaims);
  EXPECT_EQ(refusal(make(header_with(), kClaims, std::string(32, 'x'))), "its signature is wrong");
  EXPECT_EQ(refusal(good.substr(0, good.rfind('.') + 1)), "its signature is wrong");
  EXPECT_EQ(refusal(good.substr(0, good.size() - 4)), "its signature is wrong");
  EXPECT_EQ(refusal(good + "AAAA"), "its signature is wrong");
  EXPECT_EQ(refusal(good + "="), "its signature is wrong");
  std::string flipped = good;
  flipped[good.rfind('.') + 1] = flipped[good.rfind('.') + 1] == 'A' ? 'B' : 'A';
  EXPECT_EQ(refusal(flipped), "its signature is wrong");
  // The claims of one token with the signature of another one.
  const std::string other = make(header_with(), claims_with("\"7\"", "\"8\""));
  EXPECT_EQ(refusal(other.substr(0, other.rfind('.')) + good.substr(good.rfind('.'))),
            "its signature is wrong");
}

TEST(Token, AttacksOnTheClaims) {
  const std::pair<std::pair<std::string, std::string>, std::string> cases[] = {
      {{"degu-shop", "evil"}, "its issuer is not accepted"},
      {{"\"iss\":\"degu-shop\",", ""}, "its issuer is not accepted"},
      {{"\"shop\"", "\"admin\""}, "its audience is not accepted"},
      {{"\"shop\"", "[\"shop\",\"admin\"]"}, "its audience is not accepted"},
      {{"\"aud\":\"shop\",", ""}, "its audience is not accepted"},
      {{"\"exp\":1800086400", "\"exp\":1799999000"}, "it has expired"},
      {{",\"exp\":1800086400", ""}, "it does not say when it expires"},
      {{"1800086400", "\"1800086400\""}, "it does not say when it expires"},
      {{"1800086400", "18000864000000"}, "it does not say when it expires"},
      {{"1800086400", "-1"}, "it does not say when it expires"},
      {{"1800086400", "1.8e30"}, "it does not say when it expires"},
      {{"\"nbf\":1800000000", "\"nbf\":1800001000"}, "it is not valid yet"},
      {{"\"nbf\":1800000000,", ""}, "it does not say from when it is valid"},
      {{"\"7\"", "\"\""}, "it names nobody"},
      {{"\"7\"", "7"}, "it names nobody"},
      {{"\"sub\":\"7\",", ""}, "it names nobody"},
      {{"\"7\"", "\"" + std::string(65, '7') + "\""}, "it names nobody"},
      {{"\"sub\":\"7\"", "\"sub\":\"7\",\"sub\":\"1\""}, "its claims are malformed"},
      {{"}", ""}, "its claims are malformed"},
  };
  for (const auto& [change, why] : cases) {
    EXPECT_EQ(refusal(make(header_with(), claims_with(change.first, change.second))), why) << change.second;
  }
}

TEST(Token, AttacksOnTheForm) {
  const std::string good = make(header_with(), kClaims);
  EXPECT_EQ(refusal(""), "its length is out of range");
  EXPECT_EQ(refusal(std::string(2049, 'a')), "its length is out of range");
  EXPECT_EQ(refusal(std::string(1 << 20, '.')), "its length is out of range");
  for (const std::string& token :
       {std::string("a"), std::string("a.b"), std::string("a.b.c.d"), std::string("..."), good + ".x"}) {
    EXPECT_EQ(refusal(token), "it does not have three parts") << token;
  }
  EXPECT_EQ(refusal(".."), "its header is malformed");
  EXPECT_EQ(refusal(" " + good), "its header is malformed");
  EXPECT_EQ(refusal("\xff\xfe." + good), "it does not have three parts");
  // Cut short anywhere, it is refused, and never by a crash.
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_NE(refusal(good.substr(0, size)), "accepted") << size;
}

TEST(Token, Expires) {
  const std::string token = TokenAuthority(kSecret).issue("7", kNow).text;
  EXPECT_EQ(refusal(token, kNow + 24 * 3600 - 1), "accepted");
  EXPECT_EQ(refusal(token, kNow + 24 * 3600 + 6), "it has expired");
  EXPECT_EQ(refusal(token, kNow - 60), "it is not valid yet");
}

class SecretFile : public testing::Test {
 protected:
  degu::testing::TempDir dir_;
};

TEST_F(SecretFile, IsMadeOnceAndPrivate) {
  const std::string path = dir_.file("key");
  const std::string secret = load_or_make_secret(path);
  EXPECT_EQ(secret.size(), 32U);
  EXPECT_EQ(load_or_make_secret(path), secret);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(SecretFile, RefusesAnOpenOrShortOne) {
  const std::string path = dir_.file("key");
  load_or_make_secret(path);
  ::chmod(path.c_str(), 0644);
  EXPECT_THROW(load_or_make_secret(path), degu::Error);
  ::chmod(path.c_str(), 0600);
  std::ofstream(path, std::ios::trunc) << "short";
  EXPECT_THROW(load_or_make_secret(path), degu::Error);
  EXPECT_THROW(TokenAuthority("short"), degu::Error);
  EXPECT_THROW(load_or_make_secret(dir_.file("no/such/place")), degu::Error);
}

}  // namespace
}  // namespace shop::user
