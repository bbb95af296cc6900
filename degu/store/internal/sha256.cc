#include <degu/base/assert.h>
#include <degu/store/internal/sha256.h>
#include <openssl/evp.h>

namespace degu::store::internal {

std::string sha256_hex(std::string_view data) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  const int done = EVP_Digest(data.data(), data.size(), digest, &size, EVP_sha256(), nullptr);
  DEGU_CHECK(done == 1 && size == 32, "SHA-256 is not available from OpenSSL");
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(64);
  for (unsigned i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

}  // namespace degu::store::internal
