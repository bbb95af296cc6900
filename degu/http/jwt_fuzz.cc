// Properties: no token but those made here is accepted; each text decodes to bytes that encode to that text, or not at
// all; elements of forwarding fields, whatever stands in front of them, are read as if alone.
#include <degu/base/assert.h>
#include <degu/base/error.h>
#include <degu/http/internal/base64.h>
#include <degu/http/internal/forwarded.h>
#include <degu/http/internal/ip.h>
#include <degu/http/jwt.h>

#include <string>

namespace degu::http {
namespace {

const JwtVerifier& verifier() {
  static const JwtVerifier verifier({.keys = {JwtKey::hmac(JwtAlgorithm::kHs256, std::string(32, 's'), "a"),
                                              JwtKey::hmac(JwtAlgorithm::kHs512, std::string(64, 's'))},
                                     .issuers = {"i"},
                                     .audience = "a"});
  return verifier;
}

bool is_accepted(std::string_view token) {
  try {
    verifier().verify(token);
    return true;
  } catch (const Error& error) {
    DEGU_CHECK(error.code() == Code::kUnauthenticated, "{}", error.what());
    return false;
  }
}

void check_tokens(std::string_view text) {
  DEGU_CHECK(!is_accepted(text));
  const JwtKey key = JwtKey::hmac(JwtAlgorithm::kHs256, std::string(32, 's'), "a");
  const std::string header = internal::to_base64url(R"({"alg":"HS256","kid":"a"})");
  const std::string signed_text =
      header + '.' + internal::to_base64url(text);  // claims that a bad issuer could write
  if (signed_text.size() < kMaxJwtBytes) {
    static_cast<void>(is_accepted(signed_text + '.' + internal::to_base64url(key.sign(signed_text))));
  }
  const std::string other = internal::to_base64url(text) + '.' + internal::to_base64url("{}");  // any header
  static_cast<void>(is_accepted(other + '.' + internal::to_base64url(key.sign(other))));
}

void check_base64(std::string_view text) {
  const auto bytes = internal::from_base64url(text);
  DEGU_CHECK(!bytes || internal::to_base64url(*bytes) == text);
  DEGU_CHECK(internal::from_base64url(internal::to_base64url(text)) == text);
}

void check_forwarded(std::string_view text) {
  const std::string list = std::string(text) + ", for=192.0.2.1;proto=https";
  std::string_view left = list;
  const auto last = internal::take_last_element(left, true);
  DEGU_CHECK(last == "for=192.0.2.1;proto=https" && left == text);
  const auto element = internal::parse_forwarded_element(*last);
  DEGU_CHECK(element && element->node == "192.0.2.1" && element->proto == "https");
  std::size_t taken = 0;
  while (const auto next = internal::take_last_element(left, true)) {
    static_cast<void>(internal::parse_forwarded_element(*next));
    DEGU_CHECK(++taken <= text.size());
  }
  if (const auto address = internal::IpAddress::parse_node(text)) {
    DEGU_CHECK(internal::IpAddress::parse(internal::to_string(*address)) == address);
  }
}

}  // namespace
}  // namespace degu::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  degu::http::check_tokens(text);
  degu::http::check_base64(text);
  degu::http::check_forwarded(text);
  return 0;
}
