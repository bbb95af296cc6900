#include <degu/base/error.h>
#include <degu/http/json_reader.h>
#include <degu/http/json_writer.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <shop/user/base64url.h>
#include <shop/user/token.h>

#include <array>
#include <optional>
#include <utility>

namespace shop::user {
namespace {

using degu::Code;
using degu::Error;
using degu::json::Document;
using degu::json::Value;

constexpr std::size_t kMaxTokenBytes = 2048;
constexpr std::size_t kMaxSubjectBytes = 64;
constexpr std::size_t kMinSecretBytes = 32;
constexpr std::string_view kAlgorithm = "HS256";

[[noreturn]] void refuse(const char* why) {
  throw Error(Code::kUnauthenticated, std::string("the token is not valid: ") + why);
}

// A part of the token as JSON; `what` names it in the refusal.
Document parse_part(std::string_view part, const char* what) {
  const std::optional<std::string> text = from_base64url(part);
  if (!text) refuse(what);
  try {
    Document document = Document::parse(*text);
    if (document.root().type() != degu::json::Type::kObject) refuse(what);
    return document;
  } catch (const Error&) {
    refuse(what);
  }
}

std::optional<std::string_view> text_of(const Value& object, std::string_view name) {
  const auto member = object.find(name);
  return member ? member->string() : std::nullopt;
}

int64_t time_of(const Value& object, std::string_view name, const char* what) {
  const auto member = object.find(name);
  const auto value = member ? member->int64() : std::nullopt;
  if (!value || *value < 0 || *value > int64_t{1} << 40) refuse(what);
  return *value;
}

struct Parts {
  std::string_view header, claims, signature, signed_text;
};

Parts split(std::string_view text) {
  const std::size_t first = text.find('.');
  const std::size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos) {
    refuse("it does not have three parts");
  }
  return {text.substr(0, first), text.substr(first + 1, second - first - 1), text.substr(second + 1),
          text.substr(0, second)};
}

}  // namespace

TokenAuthority::TokenAuthority(std::string secret, TokenOptions options)
    : secret_(std::move(secret)), options_(std::move(options)) {
  if (secret_.size() < kMinSecretBytes)
    throw Error(Code::kInvalidArgument, "the signing key is shorter than 32 bytes");
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(secret_.data()), secret_.size(), digest.data());
  key_id_ = to_base64url({reinterpret_cast<const char*>(digest.data()), 6});
}

std::string TokenAuthority::sign(std::string_view text) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &size) == nullptr) {
    throw Error(Code::kInternal, "HMAC failed");
  }
  return {reinterpret_cast<const char*>(out.data()), size};
}

Token TokenAuthority::issue(std::string_view subject, int64_t now) const {
  Token token;
  token.expires_at = now + options_.lifetime.count();
  std::string header;
  degu::json::Writer head(header);
  head.begin_object();
  head.key("alg");
  head.value(kAlgorithm);
  head.key("typ");
  head.value("JWT");
  head.key("kid");
  head.value(key_id_);
  head.end_object();
  std::string claims;
  degu::json::Writer body(claims);
  body.begin_object();
  body.key("iss");
  body.value(options_.issuer);
  body.key("aud");
  body.value(options_.audience);
  body.key("sub");
  body.value(subject);
  body.key("iat");
  body.value(now);
  body.key("nbf");
  body.value(now);
  body.key("exp");
  body.value(token.expires_at);
  body.end_object();
  token.text = to_base64url(header) + '.' + to_base64url(claims);
  token.text += '.' + to_base64url(sign(token.text));
  return token;
}

Claims TokenAuthority::verify(std::string_view text, int64_t now) const {
  if (text.empty() || text.size() > kMaxTokenBytes) refuse("its length is out of range");
  const Parts parts = split(text);
  const Document header = parse_part(parts.header, "its header is malformed");
  if (text_of(header.root(), "alg") != kAlgorithm) refuse("its algorithm is not accepted");
  if (header.root().find("typ") && text_of(header.root(), "typ") != "JWT") refuse("its type is not JWT");
  if (header.root().find("crit")) refuse("it demands an extension");
  if (text_of(header.root(), "kid") != key_id_) refuse("its key is not known");
  const std::optional<std::string> signature = from_base64url(parts.signature);
  const std::string expected = sign(parts.signed_text);
  if (!signature || signature->size() != expected.size() ||
      CRYPTO_memcmp(signature->data(), expected.data(), expected.size()) != 0) {
    refuse("its signature is wrong");
  }
  const Document document = parse_part(parts.claims, "its claims are malformed");
  const Value claims = document.root();
  if (text_of(claims, "iss") != options_.issuer) refuse("its issuer is not accepted");
  if (text_of(claims, "aud") != options_.audience) refuse("its audience is not accepted");
  if (time_of(claims, "nbf", "it does not say from when it is valid") > now + options_.leeway.count()) {
    refuse("it is not valid yet");
  }
  const int64_t expires_at = time_of(claims, "exp", "it does not say when it expires");
  if (expires_at + options_.leeway.count() <= now) refuse("it has expired");
  const auto subject = text_of(claims, "sub");
  if (!subject || subject->empty() || subject->size() > kMaxSubjectBytes) refuse("it names nobody");
  return {std::string(*subject), expires_at};
}

}  // namespace shop::user
