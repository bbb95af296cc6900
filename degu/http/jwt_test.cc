#include <degu/base/error.h>
#include <degu/base/testing/code_of.h>
#include <degu/base/testing/fixed_time.h>
#include <degu/http/internal/base64.h>
#include <degu/http/jwt.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>

#include <chrono>
#include <string>

namespace degu::http {
namespace {

using test::call;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Headers = std::vector<std::pair<std::string, std::string>>;
using namespace std::chrono_literals;

// --- The keys of RFC 7515, appendix A, its JWKs written as PEM
// ---------------------------------------------------------------------------------------------------

const std::string kRfcSecret =
    internal::from_base64url(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
        .value();

constexpr const char* kRfcRsaPublic = R"(-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj
NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz
P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo
9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB
EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX
FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp
oQIDAQAB
-----END PUBLIC KEY-----
)";

constexpr const char* kRfcRsaPrivate = R"(-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO
jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL
aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn
juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5
ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf
toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg
VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW
PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G
O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj
kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6
XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB
4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K
pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr
0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE
lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6
kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP
rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw
kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp
5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2
9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/
evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG
yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj
OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2
tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3
ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56
03k2+ZQwVK0JKSHuLFkuQ3U=
-----END PRIVATE KEY-----
)";

constexpr const char* kRfcEcPublic = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7
6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
-----END PUBLIC KEY-----
)";

constexpr const char* kRfcEcPrivate = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
-----END PRIVATE KEY-----
)";

// Made for these tests.
constexpr const char* kP384Private = R"(-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDCVNtIIhlTsjsM6wf/0
H2lIZhKRhQL7/IjFhNPifoLhzaiqtbMSgl1O+tLGZrdWOcqhZANiAAQt0q5MjRiT
esw9lvy0KdTJ7UkPmWh78oRZh5IwX6p1Bb6OOWzvm/9/taR+x9o42AYg5WSx3m77
8y6Q70NS8ZavmxQpnIjLsGkF60xO15Evl6bIAdaDkNbeBa4AeNdTSe8=
-----END PRIVATE KEY-----
)";

constexpr const char* kRsa1024Public = R"(-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDKAZGVpGFvOuHwPY8dITLKQxVp
nt/qPe7pKIF1KRWhGS96QtB1qOM/pd0CbK27Xlg/4Hc7qhslLDjhcbdhrqam/GeE
Cmd13Y85cPY7dRBN3fnGfh9wGNwa+1rr4meb5pWgOmEvegebmQOFQwHtAn7MYIoY
KsSlC2tmaaMPV9BdHwIDAQAB
-----END PUBLIC KEY-----
)";

constexpr const char* kEncryptedPrivate = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIIBJDBfBgkqhkiG9w0BBQ0wUjAxBgkqhkiG9w0BBQwwJAQQOvAYV39Pr21f6+qU
Ar0glQICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEMpExHTOP9nH79j+
UmmfZTQEgcAqQWOGS2pOO6hSPos5kZfjsLCWiZNjTXjJYNv3DGdAH5NEolhQDl8e
CmbIaLZEDuBGiaZ2654Bb26/u2ap4hDHVXjovZUSa8/ukgEtC6LTnnHdiphIX4ZZ
5htzxwVrnemR0P2noWiSFIpNLRjJJ5mJU/imrG0Gz9DESVmRx/I2c3tsyWTej3Dg
KxVPdxT1sQoqlT30bZVKB80WRiNA3DihyJ+wr9jd4PgcRjoLsXJLjGtueXrFojN4
ZBm68lZ8Ipk=
-----END ENCRYPTED PRIVATE KEY-----
)";

const std::string kRfcPayload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const std::string kRfcHs256 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + kRfcPayload +
                              ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const std::string kRfcRs256 =
    "eyJhbGciOiJSUzI1NiJ9." + kRfcPayload +
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
    "O8W2Fp5jujGbds9uJdbF9CUAr7t"
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_"
    "dO--xi12jzDwu"
    "sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
    "IoypGlUPQGe77Rw";
const std::string kRfcEs256 =
    "eyJhbGciOiJFUzI1NiJ9." + kRfcPayload +
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
constexpr std::chrono::sys_seconds kRfcExpiry{1'300'819'380s};

// --- Helpers
// ---------------------------------------------------------------------------------------------------

const std::string kSecret(32, 's');
JwtKey hs256(std::string id = {}) { return JwtKey::hmac(JwtAlgorithm::kHs256, kSecret, std::move(id)); }

constexpr std::chrono::sys_seconds kNow{1'800'000'000s};

JwtOptions strict(std::vector<JwtKey> keys) {
  return {.keys = std::move(keys), .issuers = {"https://login.example"}, .audience = "shop", .leeway = 30s};
}

// A token may say anything: no checks here.
std::string forge(const JwtKey& key, std::string_view header, std::string_view claims) {
  const std::string text = internal::to_base64url(header) + '.' + internal::to_base64url(claims);
  return text + '.' + internal::to_base64url(key.sign(text));
}

constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";
const std::string kClaims =
    R"({"iss":"https://login.example","aud":"shop","sub":"ada","exp":1800000060,"nbf":1799999940})";

std::string claims_with(std::string_view from, std::string_view to) {
  std::string claims = kClaims;
  return claims.replace(claims.find(from), from.size(), to);
}

// "accepted", or what is wrong.
std::string judge(const JwtOptions& options, std::string_view token) {
  try {
    JwtVerifier(options).verify(token);
    return "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnauthenticated);
    EXPECT_THAT(error.message(), StartsWith("the token is not valid: "));
    return error.message().substr(std::string("the token is not valid: ").size());
  }
}
std::string judge(std::string_view token) { return judge(strict({hs256()}), token); }
std::string judge_header(std::string_view header) { return judge(forge(hs256(), header, kClaims)); }
std::string judge_claims(std::string_view claims) { return judge(forge(hs256(), kHeader, claims)); }

class JwtTest : public ::testing::Test {
 protected:
  testing::FixedTime time_{kNow};
};

// --- Keys and signatures
// ---------------------------------------------------------------------------------------------------

class JwtVectors : public ::testing::Test {
 protected:
  static std::string judge_rfc(const JwtKey& key, const std::string& token) {
    return judge({.keys = {key},
                  .issuers = {"joe"},
                  .require_audience = false,
                  .require_not_before = false,
                  .leeway = 0s},
                 token);
  }
  testing::FixedTime time_{kRfcExpiry - 1s};
};

TEST_F(JwtVectors, VerifiesRfc7515AppendixA) {
  EXPECT_EQ(judge_rfc(JwtKey::hmac(JwtAlgorithm::kHs256, kRfcSecret), kRfcHs256), "accepted");
  EXPECT_EQ(judge_rfc(JwtKey::pem(JwtAlgorithm::kRs256, kRfcRsaPublic), kRfcRs256), "accepted");
  EXPECT_EQ(judge_rfc(JwtKey::pem(JwtAlgorithm::kEs256, kRfcEcPublic), kRfcEs256), "accepted");
  time_.advance(1s);
  EXPECT_EQ(judge_rfc(JwtKey::pem(JwtAlgorithm::kEs256, kRfcEcPublic), kRfcEs256), "it has expired");
}

TEST_F(JwtVectors, SignsRfc7515AppendixA) {
  const auto signature = [](const JwtKey& key, const std::string& token) {
    return internal::to_base64url(key.sign(std::string_view(token).substr(0, token.rfind('.'))));
  };
  EXPECT_EQ(signature(JwtKey::hmac(JwtAlgorithm::kHs256, kRfcSecret), kRfcHs256),
            kRfcHs256.substr(kRfcHs256.rfind('.') + 1));
  EXPECT_EQ(signature(JwtKey::pem(JwtAlgorithm::kRs256, kRfcRsaPrivate), kRfcRs256),
            kRfcRs256.substr(kRfcRs256.rfind('.') + 1));
}

TEST_F(JwtVectors, NoticesEveryChangedByte) {
  const std::pair<JwtKey, std::string> cases[] = {
      {JwtKey::hmac(JwtAlgorithm::kHs256, kRfcSecret), kRfcHs256},
      {JwtKey::pem(JwtAlgorithm::kEs256, kRfcEcPublic), kRfcEs256},
      {JwtKey::pem(JwtAlgorithm::kRs256, kRfcRsaPublic), kRfcRs256}};
  for (const auto& [key, token] : cases) {
    for (std::size_t i = 0; i < token.size(); ++i) {
      std::string changed = token;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      EXPECT_NE(judge_rfc(key, changed), "accepted") << i;
      EXPECT_NE(judge_rfc(key, token.substr(0, i)), "accepted") << i;
    }
    EXPECT_NE(judge_rfc(key, token + "A"), "accepted");
    EXPECT_NE(judge_rfc(key, token + "="), "accepted");
  }
}

TEST(JwtKey, SignsAndVerifiesWithEveryAlgorithm) {
  const std::pair<JwtKey, std::size_t> cases[] = {{JwtKey::hmac(JwtAlgorithm::kHs256, kRfcSecret), 32},
                                                  {JwtKey::hmac(JwtAlgorithm::kHs384, kRfcSecret), 48},
                                                  {JwtKey::hmac(JwtAlgorithm::kHs512, kRfcSecret), 64},
                                                  {JwtKey::pem(JwtAlgorithm::kRs256, kRfcRsaPrivate), 256},
                                                  {JwtKey::pem(JwtAlgorithm::kRs384, kRfcRsaPrivate), 256},
                                                  {JwtKey::pem(JwtAlgorithm::kRs512, kRfcRsaPrivate), 256},
                                                  {JwtKey::pem(JwtAlgorithm::kEs256, kRfcEcPrivate), 64},
                                                  {JwtKey::pem(JwtAlgorithm::kEs384, kP384Private), 96}};
  for (const auto& [key, size] : cases) {
    SCOPED_TRACE(to_string(key.algorithm()));
    for (int i = 0; i < 20; ++i) {  // ECDSA's numbers start with a zero byte now and then
      const std::string signature = key.sign("text");
      EXPECT_EQ(signature.size(), size);
      EXPECT_TRUE(key.verify("text", signature));
    }
    std::string signature = key.sign("text");
    EXPECT_FALSE(key.verify("texT", signature));
    EXPECT_FALSE(key.verify("text", signature + '\0'));
    EXPECT_FALSE(key.verify("text", std::string_view(signature).substr(1)));
    EXPECT_FALSE(key.verify("text", ""));
    EXPECT_FALSE(key.verify("text", std::string(size, '\0')));
    EXPECT_FALSE(key.verify("text", std::string(size, '\xFF')));
    signature[size - 1] = static_cast<char>(signature[size - 1] ^ 1);
    EXPECT_FALSE(key.verify("text", signature));
    for (const auto& [other, ignored] : cases) {
      EXPECT_EQ(other.verify("text", key.sign("text")), other.algorithm() == key.algorithm());
    }
  }
}

TEST(JwtKey, RefusesUnfitKeys) {
  const auto hmac = [](JwtAlgorithm algorithm, std::size_t size) {
    return testing::code_of([&] { JwtKey::hmac(algorithm, std::string(size, 's')); });
  };
  const auto pem = [](JwtAlgorithm algorithm, std::string_view text) {
    return testing::code_of([&] { JwtKey::pem(algorithm, text); });
  };
  EXPECT_EQ(hmac(JwtAlgorithm::kHs256, 32), Code::kOk);
  EXPECT_EQ(hmac(JwtAlgorithm::kHs256, 31), Code::kInvalidArgument);
  EXPECT_EQ(hmac(JwtAlgorithm::kHs384, 47), Code::kInvalidArgument);
  EXPECT_EQ(hmac(JwtAlgorithm::kHs512, 63), Code::kInvalidArgument);
  EXPECT_EQ(hmac(JwtAlgorithm::kHs256, 0), Code::kInvalidArgument);
  EXPECT_EQ(hmac(JwtAlgorithm::kRs256, 64), Code::kInvalidArgument);
  EXPECT_EQ(pem(JwtAlgorithm::kHs256, kRfcRsaPublic), Code::kInvalidArgument);
  EXPECT_EQ(pem(JwtAlgorithm::kRs256, kRsa1024Public), Code::kInvalidArgument);
  EXPECT_EQ(pem(JwtAlgorithm::kRs256, kRfcEcPublic), Code::kInvalidArgument);
  EXPECT_EQ(pem(JwtAlgorithm::kEs256, kRfcRsaPublic), Code::kInvalidArgument);
  EXPECT_EQ(pem(JwtAlgorithm::kEs384, kRfcEcPublic), Code::kInvalidArgument);
  EXPECT_EQ(pem(JwtAlgorithm::kEs256, kP384Private), Code::kInvalidArgument);
  EXPECT_EQ(pem(JwtAlgorithm::kEs384, kEncryptedPrivate), Code::kInvalidArgument);
  EXPECT_EQ(pem(JwtAlgorithm::kRs256, ""), Code::kInvalidArgument);
  EXPECT_EQ(pem(JwtAlgorithm::kRs256, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
            Code::kInvalidArgument);
  EXPECT_EQ(pem(JwtAlgorithm::kRs256, std::string(70'000, 'x')), Code::kInvalidArgument);
}

TEST(JwtKey, LeavesNoErrorsBehind) {
  ERR_clear_error();
  const JwtKey rsa = JwtKey::pem(JwtAlgorithm::kRs256, kRfcRsaPublic);
  EXPECT_EQ(ERR_peek_error(), 0U);
  EXPECT_FALSE(rsa.verify("text", std::string(256, 'x')));
  EXPECT_EQ(ERR_peek_error(), 0U);
  EXPECT_FALSE(JwtKey::pem(JwtAlgorithm::kEs256, kRfcEcPublic).verify("text", std::string(64, '\xFF')));
  EXPECT_EQ(ERR_peek_error(), 0U);
  EXPECT_THROW(JwtKey::pem(JwtAlgorithm::kRs256, "nonsense"), Error);
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(JwtKey, CannotSignWithAPublicKey) {
  EXPECT_EQ(testing::code_of([] { JwtKey::pem(JwtAlgorithm::kRs256, kRfcRsaPublic).sign("x"); }),
            Code::kFailedPrecondition);
  EXPECT_EQ(testing::code_of([] { sign_jwt(JwtKey::pem(JwtAlgorithm::kEs256, kRfcEcPublic), JwtClaims{}); }),
            Code::kFailedPrecondition);
}

// --- Attacks
// ---------------------------------------------------------------------------------------------------

TEST_F(JwtTest, RefusesAlgorithmsOfTheTokensChoice) {
  const std::string unsigned_token =
      internal::to_base64url(R"({"alg":"none"})") + '.' + internal::to_base64url(kClaims) + '.';
  EXPECT_EQ(judge(unsigned_token), "its key is not known");
  for (const char* name : {"none", "None", "NONE", "hs256", "HS384", "RS256", "HS256 ", ""}) {
    EXPECT_EQ(judge_header(std::string(R"({"alg":")") + name + R"("})"), "its key is not known") << name;
  }
  EXPECT_EQ(judge_header(R"({"typ":"JWT"})"), "it names no algorithm");
  EXPECT_EQ(judge_header(R"({"alg":["HS256"]})"), "it names no algorithm");
  EXPECT_EQ(judge_header(R"({"alg":null})"), "it names no algorithm");
}

TEST_F(JwtTest, RefusesAPublicKeyAsSecret) {
  const JwtKey server = JwtKey::pem(JwtAlgorithm::kRs256, kRfcRsaPublic, "k1");
  const JwtKey attacker = JwtKey::hmac(JwtAlgorithm::kHs256, kRfcRsaPublic);
  EXPECT_EQ(judge(strict({server}), forge(attacker, R"({"alg":"HS256"})", kClaims)), "its key is not known");
  EXPECT_EQ(judge(strict({server}), forge(attacker, R"({"alg":"HS256","kid":"k1"})", kClaims)),
            "its algorithm is not that of the key");
  EXPECT_EQ(judge(strict({server}), forge(attacker, R"({"alg":"RS256","kid":"k1"})", kClaims)),
            "its signature is wrong");
}

TEST_F(JwtTest, FindsKeysInAClosedSet) {
  const JwtKey old_key = JwtKey::hmac(JwtAlgorithm::kHs256, std::string(32, 'o'), "old");
  const JwtKey new_key = JwtKey::hmac(JwtAlgorithm::kHs256, std::string(32, 'n'), "new");
  const JwtKey rsa = JwtKey::pem(JwtAlgorithm::kRs256, kRfcRsaPrivate, "rsa");
  const JwtKey ec = JwtKey::pem(JwtAlgorithm::kEs256, kRfcEcPrivate);
  const JwtOptions options = strict({old_key, new_key, rsa, ec});
  for (const JwtKey& key : {old_key, new_key, rsa, ec})
    EXPECT_EQ(judge(options, sign_jwt(key, kClaims)), "accepted");
  // Without a kid: the sole key of the algorithm.
  EXPECT_EQ(judge(options, forge(rsa, R"({"alg":"RS256"})", kClaims)), "accepted");
  EXPECT_EQ(judge(options, forge(new_key, R"({"alg":"HS256"})", kClaims)),
            "it does not say which key it is signed by");
  // With one: that key or none.
  EXPECT_EQ(judge(options, forge(new_key, R"({"alg":"HS256","kid":"old"})", kClaims)),
            "its signature is wrong");
  EXPECT_EQ(judge(options, forge(new_key, R"({"alg":"HS256","kid":"rsa"})", kClaims)),
            "its algorithm is not that of the key");
  for (const char* kid :
       {R"("newer")", R"("")", "7", "null", R"(["new"])", R"("../../dev/null")", R"("' or 1=1")"}) {
    EXPECT_EQ(judge(options, forge(new_key, std::string(R"({"alg":"HS256","kid":)") + kid + "}", kClaims)),
              "its key is not known")
        << kid;
  }
  // Keys that the token brings or points to are not looked at.
  EXPECT_EQ(
      judge(options,
            forge(JwtKey::hmac(JwtAlgorithm::kHs256, kSecret),
                  R"({"alg":"HS256","kid":"x","jku":"https://evil.example","jwk":{"kty":"oct"}})", kClaims)),
      "its key is not known");
}

TEST_F(JwtTest, RefusesWhatIsNotThreeParts) {
  const std::string good = forge(hs256(), kHeader, kClaims);
  EXPECT_EQ(judge(good), "accepted");
  for (const std::string& token :
       {std::string(), std::string("."), std::string("a"), std::string("a.b"), good + ".", "." + good,
        good.substr(0, good.rfind('.')), good + "." + good}) {
    EXPECT_EQ(judge(token), "it does not have three parts") << token;
  }
  EXPECT_EQ(judge(".."), "its header is malformed");
  EXPECT_EQ(judge(good.substr(0, good.rfind('.') + 1)), "its signature is wrong");
  EXPECT_EQ(judge(" " + good), "its header is malformed");
  EXPECT_EQ(judge(good + "="), "its signature is wrong");
  EXPECT_EQ(judge(good + "\n"), "its signature is wrong");
}

TEST_F(JwtTest, RefusesHugeTokensUnread) {
  const std::string text = internal::to_base64url(kHeader) + '.';
  EXPECT_EQ(judge(text + std::string(kMaxJwtBytes - text.size() - 1, 'A') + "."), "its signature is wrong");
  EXPECT_EQ(judge(text + std::string(kMaxJwtBytes - text.size(), 'A') + "."), "it is too long");
  EXPECT_EQ(judge(std::string(1'000'000, '.')), "it is too long");
}

TEST_F(JwtTest, RefusesMalformedJson) {
  for (const char* header : {"", "{", "[]", "\"HS256\"", "null", R"({"alg":"HS256","alg":"HS256"})",
                             R"({"alg":"HS256","x":")"
                             "\xFF"
                             R"("})",
                             R"({"alg":"HS256"}x)", R"({'alg':'HS256'})"}) {
    EXPECT_EQ(judge_header(header), "its header is malformed") << header;
  }
  EXPECT_EQ(judge_header(std::string(R"({"alg":"HS256","x":)") + std::string(100, '[') +
                         std::string(100, ']') + "}"),
            "its header is malformed");
  for (const std::string& claims :
       {std::string(), std::string("[]"), std::string("7"), kClaims + "x", claims_with("ada", "\xC3\x28"),
        claims_with(R"("sub":"ada")", R"("sub":"ada","sub":"eve")"),
        claims_with(R"("sub":"ada")", R"("iss":"x")"), claims_with("ada", "\\ud800"),
        claims_with("ada", "a\nb")}) {
    EXPECT_EQ(judge_claims(claims), "its claims are malformed") << claims;
  }
}

TEST_F(JwtTest, RefusesExtensionsAndOtherTypes) {
  EXPECT_EQ(judge_header(R"({"alg":"HS256","crit":["exp"]})"), "it demands an extension");
  EXPECT_EQ(judge_header(R"({"alg":"HS256","crit":[]})"), "it demands an extension");
  EXPECT_EQ(judge_header(R"({"alg":"HS256"})"), "accepted");
  EXPECT_EQ(judge_header(R"({"alg":"HS256","typ":"jwt"})"), "accepted");
  EXPECT_EQ(judge_header(R"({"alg":"HS256","typ":"application/jwt"})"), "accepted");
  for (const char* type : {R"("at+jwt")", R"("")", "7", "null", R"("application/")", R"("JWTx")"}) {
    EXPECT_EQ(judge_header(std::string(R"({"alg":"HS256","typ":)") + type + "}"), "it is of another type")
        << type;
  }
  JwtOptions options = strict({hs256()});
  options.type = "at+jwt";
  EXPECT_EQ(judge(options, sign_jwt(hs256(), kClaims, "at+jwt")), "accepted");
  EXPECT_EQ(judge(options, sign_jwt(hs256(), kClaims, "application/AT+jwt")), "accepted");
  EXPECT_EQ(judge(options, sign_jwt(hs256(), kClaims)), "it is of another type");
  EXPECT_EQ(judge(options, forge(hs256(), R"({"alg":"HS256"})", kClaims)), "it is of another type");
}

// --- Claims
// ---------------------------------------------------------------------------------------------------

TEST_F(JwtTest, RequiresIssuerAudienceExpiryAndBeginning) {
  EXPECT_EQ(judge_claims(claims_with(R"("iss":"https://login.example",)", "")), "its issuer is not accepted");
  EXPECT_EQ(judge_claims(claims_with("login", "evil")), "its issuer is not accepted");
  EXPECT_EQ(judge_claims(claims_with(R"("https://login.example")", R"(["https://login.example"])")),
            "its issuer is malformed");
  EXPECT_EQ(judge_claims(claims_with(R"("aud":"shop",)", "")), "it is meant for others");
  EXPECT_EQ(judge_claims(claims_with("\"shop\"", "\"Shop\"")), "it is meant for others");
  EXPECT_EQ(judge_claims(claims_with("\"shop\"", "[]")), "it is meant for others");
  EXPECT_EQ(judge_claims(claims_with("\"shop\"", R"(["bank","shop"])")), "accepted");
  EXPECT_EQ(judge_claims(claims_with("\"shop\"", R"(["shop",7])")), "its audience is malformed");
  EXPECT_EQ(judge_claims(claims_with("\"shop\"", "7")), "its audience is malformed");
  EXPECT_EQ(judge_claims(claims_with(R"(,"exp":1800000060)", "")), "it does not say when it expires");
  EXPECT_EQ(judge_claims(claims_with(R"(,"nbf":1799999940)", "")), "it does not say from when it is valid");
  EXPECT_EQ(judge_claims(claims_with("\"ada\"", "7")), "its subject is malformed");
  EXPECT_EQ(judge_claims(claims_with(R"("sub":"ada")", R"("jti":7)")), "its id is malformed");
  EXPECT_EQ(judge_claims(claims_with(R"("sub":"ada")", R"("iat":"now")")), "its date of issue is malformed");
  EXPECT_EQ(judge_claims("{}"), "its issuer is not accepted");
}

TEST_F(JwtTest, ChecksWhatIsThereAlsoWhenNotRequired) {
  JwtOptions options = strict({hs256()});
  options.require_issuer = options.require_audience = options.require_expiry = options.require_not_before =
      false;
  const auto judge_lax = [&](std::string_view claims) {
    return judge(options, forge(hs256(), kHeader, claims));
  };
  EXPECT_EQ(judge_lax("{}"), "accepted");
  EXPECT_EQ(judge_lax(R"({"iss":"https://evil.example"})"), "its issuer is not accepted");
  EXPECT_EQ(judge_lax(R"({"aud":"bank"})"), "it is meant for others");
  EXPECT_EQ(judge_lax(R"({"exp":1})"), "it has expired");
  EXPECT_EQ(judge_lax(R"({"nbf":9999999999})"), "it is not valid yet");
}

TEST_F(JwtTest, ExpiresAtTheEdge) {
  const std::string token =
      forge(hs256(), kHeader, kClaims);  // from 60 s before to 60 s after kNow; leeway 30 s
  const auto at = [&](std::chrono::nanoseconds offset) {
    time_.set_wall(kNow + offset);
    return judge(token);
  };
  EXPECT_EQ(at(90s - 1us), "accepted");
  EXPECT_EQ(at(90s), "it has expired");
  EXPECT_EQ(at(-90s), "accepted");
  EXPECT_EQ(at(-90s - 1us), "it is not valid yet");
  EXPECT_EQ(at(0s), "accepted");
}

TEST_F(JwtTest, ReadsDatesStrictly) {
  const auto with_expiry = [&](std::string_view date) {
    return judge_claims(claims_with("1800000060", date));
  };
  EXPECT_EQ(with_expiry("1799999970.5"), "accepted");
  EXPECT_EQ(with_expiry("1799999970"), "it has expired");
  EXPECT_EQ(with_expiry("1.8e9"), "accepted");
  EXPECT_EQ(with_expiry("9999999999"), "accepted");
  EXPECT_EQ(with_expiry("0"), "it has expired");
  for (const char* date :
       {"-1", "\"1800000060\"", "null", "true", "[1800000060]", "1e300", "99999999999999999", "-0.5"}) {
    EXPECT_EQ(with_expiry(date), "its expiry is malformed") << date;
  }
}

TEST_F(JwtTest, GivesTheClaims) {
  const JwtClaims given{.issuer = "https://login.example",
                        .subject = "J\xC3\xB6rg \"x\"",
                        .audience = {"bank", "shop"},
                        .expires_at = kNow + 60s,
                        .not_before = kNow - 1ms,
                        .issued_at = kNow,
                        .id = "7"};
  const JwtClaims claims = JwtVerifier(strict({hs256("k")})).verify(sign_jwt(hs256("k"), given));
  EXPECT_EQ(claims.issuer, given.issuer);
  EXPECT_EQ(claims.subject, given.subject);
  EXPECT_EQ(claims.audience, given.audience);
  EXPECT_EQ(claims.expires_at, kNow + 60s);
  EXPECT_EQ(claims.not_before, kNow - 1s);
  EXPECT_EQ(claims.issued_at, kNow);
  EXPECT_EQ(claims.id, "7");
  const JwtClaims own =
      JwtVerifier(strict({hs256()}))
          .verify(sign_jwt(hs256(), claims_with(R"("sub":"ada")", R"("scope":"read","roles":[1,2])")));
  EXPECT_EQ(own.document->root().find("scope")->string(), "read");
  EXPECT_EQ(own.document->root().find("roles")->size(), 2U);
  EXPECT_EQ(own.subject, "");
}

TEST_F(JwtTest, SignsObjectsOnly) {
  for (const char* claims : {"", "[]", "7", "{", R"({"a":1,"a":2})"}) {
    EXPECT_EQ(testing::code_of([&] { sign_jwt(hs256(), claims); }), Code::kInvalidArgument) << claims;
  }
  EXPECT_EQ(testing::code_of([] { sign_jwt(hs256(), JwtClaims{.subject = std::string(8192, 'x')}); }),
            Code::kOutOfRange);
  const std::string token = sign_jwt(hs256("k1"), JwtClaims{});
  EXPECT_EQ(token.substr(0, token.rfind('.')),
            internal::to_base64url(R"({"alg":"HS256","typ":"JWT","kid":"k1"})") + '.' +
                internal::to_base64url("{}"));
}

TEST_F(JwtTest, RefusesBadOptions) {
  const auto refused = [](auto change) {
    JwtOptions options = strict({hs256("a")});
    change(options);
    return testing::code_of([&] { jwt(std::move(options)); }) == Code::kInvalidArgument;
  };
  EXPECT_FALSE(refused([](JwtOptions&) {}));
  EXPECT_TRUE(refused([](JwtOptions& o) { o.keys.clear(); }));
  EXPECT_TRUE(
      refused([](JwtOptions& o) { o.keys.push_back(JwtKey::hmac(JwtAlgorithm::kHs512, kRfcSecret, "a")); }));
  EXPECT_TRUE(refused([](JwtOptions& o) { o.issuers.clear(); }));
  EXPECT_TRUE(refused([](JwtOptions& o) { o.issuers.emplace_back(); }));
  EXPECT_TRUE(refused([](JwtOptions& o) { o.audience.clear(); }));
  EXPECT_TRUE(refused([](JwtOptions& o) { o.leeway = -1s; }));
  EXPECT_TRUE(refused([](JwtOptions& o) { o.leeway = 601s; }));
  EXPECT_TRUE(refused([](JwtOptions& o) { o.cookie = "a b"; }));
  EXPECT_TRUE(refused([](JwtOptions& o) { o.realm = "a\nb"; }));
}

// --- The middleware
// ---------------------------------------------------------------------------------------------------

Router router_with(JwtOptions options) {
  Router router;
  router.use(jwt(std::move(options)));
  router.get("/", [](Exchange& c) {
    const JwtClaims* claims = c.get<JwtClaims>();
    c.text(200, claims == nullptr ? "nobody" : claims->subject);
  });
  return router;
}

Response ask(const Router& router, Headers headers) { return call(router, "GET", "/", {}, headers); }

TEST_F(JwtTest, LetsBearersPass) {
  const Router router = router_with(strict({hs256()}));
  const std::string token = sign_jwt(hs256(), kClaims);
  EXPECT_EQ(ask(router, {{"Authorization", "Bearer " + token}}).body, "ada");
  EXPECT_EQ(ask(router, {{"authorization", "bearer  " + token}}).body, "ada");
}

TEST_F(JwtTest, ChallengesAsRfc6750Says) {
  JwtOptions options = strict({hs256()});
  options.realm = "the \"shop\"";
  const Router router = router_with(options);
  const Response none = ask(router, {});
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.header("www-authenticate"), R"(Bearer realm="the \"shop\"")");
  EXPECT_EQ(ask(router, {{"Authorization", "Basic YTpi"}}).header("www-authenticate"),
            none.header("www-authenticate"));
  time_.advance(1h);
  const Response expired = ask(router, {{"Authorization", "Bearer " + sign_jwt(hs256(), kClaims)}});
  EXPECT_EQ(expired.status, 401);
  EXPECT_EQ(expired.header("www-authenticate"),
            R"(Bearer realm="the \"shop\"", error="invalid_token", )"
            R"(error_description="the token is not valid: it has expired")");
  EXPECT_THAT(expired.body, HasSubstr("it has expired"));
  const Router plain = router_with(strict({hs256()}));
  EXPECT_EQ(ask(plain, {}).header("www-authenticate"), "Bearer");
  EXPECT_THAT(std::string(ask(plain, {{"Authorization", "Bearer x"}}).header("www-authenticate")),
              StartsWith("Bearer error=\"invalid_token\", error_description="));
}

TEST_F(JwtTest, RefusesTwoFieldsAndForeignCharacters) {
  const Router router = router_with(strict({hs256()}));
  const std::string bearer = "Bearer " + sign_jwt(hs256(), kClaims);
  EXPECT_EQ(ask(router, {{"Authorization", bearer}, {"Authorization", bearer}}).status, 400);
  EXPECT_EQ(ask(router, {{"Authorization", bearer + " x"}}).status, 401);
  EXPECT_EQ(ask(router, {{"Authorization", bearer + ", Bearer x"}}).status, 401);
  EXPECT_EQ(ask(router, {{"Authorization", "Bearer \xFF\xFE"}}).status, 401);
  EXPECT_EQ(ask(router, {{"Authorization", "Bearer " + std::string(10'000, 'a')}}).status, 401);
}

TEST_F(JwtTest, TakesACookieIfTold) {
  const std::string token = sign_jwt(hs256(), kClaims);
  EXPECT_EQ(ask(router_with(strict({hs256()})), {{"Cookie", "session=" + token}}).status, 401);
  JwtOptions options = strict({hs256()});
  options.cookie = "session";
  const Router router = router_with(options);
  EXPECT_EQ(ask(router, {{"Cookie", "a=b; session=" + token + ";c=d"}}).body, "ada");
  EXPECT_EQ(ask(router, {{"Cookie", "a=b"}, {"Cookie", "session=" + token}}).body, "ada");
  EXPECT_EQ(ask(router, {{"Cookie", "session=" + token + "; session=" + token}}).status, 401);
  EXPECT_EQ(ask(router, {{"Cookie", "session=" + token}, {"Cookie", "session=x"}}).status, 401);
  EXPECT_EQ(ask(router, {{"Cookie", "Session=" + token}}).status, 401);
  EXPECT_EQ(ask(router, {{"Cookie", "session"}}).status, 401);
  EXPECT_EQ(ask(router, {{"Cookie", "session="}}).status, 401);
  EXPECT_EQ(ask(router, {{"Cookie", "xsession=" + token}}).status, 401);
  // The field decides where there is one.
  EXPECT_EQ(ask(router, {{"Authorization", "Bearer x"}, {"Cookie", "session=" + token}}).status, 401);
  EXPECT_EQ(ask(router, {{"Authorization", "Basic YTpi"}, {"Cookie", "session=" + token}}).status, 401);
}

TEST_F(JwtTest, LetsNobodyPassIfTold) {
  JwtOptions options = strict({hs256()});
  options.optional = true;
  const Router router = router_with(options);
  EXPECT_EQ(ask(router, {}).body, "nobody");
  EXPECT_EQ(ask(router, {{"Authorization", "Bearer " + sign_jwt(hs256(), kClaims)}}).body, "ada");
  EXPECT_EQ(ask(router, {{"Authorization", "Bearer x"}}).status, 401);
}

}  // namespace
}  // namespace degu::http
