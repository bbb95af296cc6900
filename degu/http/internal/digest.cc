#include <degu/base/assert.h>
#include <degu/http/internal/digest.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <charconv>

namespace degu::http::internal {

Digest sha256(std::string_view bytes) {
  Digest digest{};
  unsigned size = 0;
  const int done = EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  DEGU_CHECK(done == 1 && size == digest.size(), "SHA-256 is not available from OpenSSL");
  return digest;
}

std::string sha1(std::string_view bytes) {
  std::array<char, 20> digest{};
  unsigned size = 0;
  auto* const out = reinterpret_cast<unsigned char*>(digest.data());
  const int done = EVP_Digest(bytes.data(), bytes.size(), out, &size, EVP_sha1(), nullptr);
  DEGU_CHECK(done == 1 && size == digest.size(), "SHA-1 is not available from OpenSSL");
  return {digest.data(), digest.size()};
}

bool equal(const Digest& a, const Digest& b) noexcept {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string to_hex(const Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<Digest> digest_from_hex(std::string_view text) noexcept {
  Digest digest{};
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const char* at = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(at, at + 2, digest[i], 16);
    if (error != std::errc() || end != at + 2) return std::nullopt;
  }
  return digest;
}

}  // namespace degu::http::internal
