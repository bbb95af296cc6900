// OpenSSL reports failures in a queue of the thread: it is emptied after each, so that whoever looks next on this
// thread finds its own.
#include <degu/base/error.h>
#include <degu/http/jwt_key.h>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <array>
#include <optional>
#include <utility>

namespace degu::http {
namespace {

enum class Kind : uint8_t { kHmac, kRsa, kEcdsa };

struct Facts {
  std::string_view name;
  Kind kind;
  const EVP_MD* (*hash)();
  std::size_t hash_bytes;
  std::string_view curve;     // OpenSSL's name
  std::size_t integer_bytes;  // of r and of s
};

const Facts& facts(JwtAlgorithm algorithm) noexcept {
  static constexpr Facts kFacts[] = {
      {"HS256", Kind::kHmac, EVP_sha256, 32, {}, 0},
      {"HS384", Kind::kHmac, EVP_sha384, 48, {}, 0},
      {"HS512", Kind::kHmac, EVP_sha512, 64, {}, 0},
      {"RS256", Kind::kRsa, EVP_sha256, 32, {}, 0},
      {"RS384", Kind::kRsa, EVP_sha384, 48, {}, 0},
      {"RS512", Kind::kRsa, EVP_sha512, 64, {}, 0},
      {"ES256", Kind::kEcdsa, EVP_sha256, 32, "prime256v1", 32},
      {"ES384", Kind::kEcdsa, EVP_sha384, 48, "secp384r1", 48},
  };
  return kFacts[static_cast<std::size_t>(algorithm)];
}

constexpr int kMinRsaBits = 2048;

[[noreturn]] void throw_invalid(std::string message) {
  ERR_clear_error();
  throw Error(Code::kInvalidArgument, std::move(message));
}

[[noreturn]] void throw_internal(const char* what) {
  ERR_clear_error();
  throw Error(Code::kInternal, what);
}

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;
using HashContextPtr = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using EcdsaPtr = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Free<BN_free>>;

const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) noexcept { return reinterpret_cast<unsigned char*>(text.data()); }

// Without this OpenSSL would ask at the terminal for the passphrase of an encrypted key.
int no_passphrase(char*, int, int, void*) noexcept { return -1; }

struct Read {
  KeyPtr key;
  bool is_private;
};

Read read_pem(std::string_view pem) {
  const auto open = [&] { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); };
  constexpr std::size_t kMaxPemBytes = 64 * 1024;
  if (pem.size() > kMaxPemBytes) return {nullptr, false};
  if (KeyPtr key{PEM_read_bio_PrivateKey(open().get(), nullptr, no_passphrase, nullptr)})
    return {std::move(key), true};
  return {KeyPtr(PEM_read_bio_PUBKEY(open().get(), nullptr, no_passphrase, nullptr)), false};
}

bool has_curve(const EVP_PKEY* key, std::string_view curve) {
  std::array<char, 64> name{};
  std::size_t size = 0;
  return EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) == 1 &&
         std::string_view(name.data(), size) == curve;
}

void check_key(const EVP_PKEY* key, const Facts& wanted) {
  if (wanted.kind == Kind::kRsa) {
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < kMinRsaBits) {
      throw_invalid(fmt::format("{} needs an RSA key of {} bits or more", wanted.name, kMinRsaBits));
    }
  } else if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC || !has_curve(key, wanted.curve)) {
    throw_invalid(fmt::format("{} needs an EC key on the curve {}", wanted.name, wanted.curve));
  }
}

std::string hmac_of(const Facts& algorithm, std::string_view secret, std::string_view text) {
  std::string out(algorithm.hash_bytes, '\0');
  unsigned size = 0;
  if (HMAC(algorithm.hash(), secret.data(), static_cast<int>(secret.size()), bytes_of(text), text.size(),
           bytes_of(out), &size) == nullptr ||
      size != out.size()) {
    throw_internal("HMAC failed");
  }
  return out;
}

std::string sign_digest(const Facts& algorithm, EVP_PKEY* key, std::string_view text) {
  const HashContextPtr context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, algorithm.hash(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes_of(text), text.size()) != 1) {
    throw_internal("the signature could not be made");
  }
  std::string out(size, '\0');
  if (EVP_DigestSign(context.get(), bytes_of(out), &size, bytes_of(text), text.size()) != 1) {
    throw_internal("the signature could not be made");
  }
  out.resize(size);
  return out;
}

bool verify_digest(const Facts& algorithm, EVP_PKEY* key, std::string_view text, std::string_view signature) {
  const HashContextPtr context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, algorithm.hash(), nullptr, key) != 1) {
    throw_internal("the signature could not be verified");
  }
  const bool good = EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text),
                                     text.size()) == 1;
  if (!good) ERR_clear_error();
  return good;
}

// OpenSSL speaks the DER form of ECDSA signatures, tokens carry r and s as two numbers of fixed length
// (RFC 7518 section 3.4).
std::string raw_from_der(std::string_view der, std::size_t integer_bytes) {
  const unsigned char* at = bytes_of(der);
  const EcdsaPtr signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  std::string raw(2 * integer_bytes, '\0');
  const int size = static_cast<int>(integer_bytes);
  if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), bytes_of(raw), size) != size ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), bytes_of(raw) + integer_bytes, size) != size) {
    throw_internal("the signature could not be made");
  }
  return raw;
}

std::optional<std::string> der_from_raw(std::string_view raw, std::size_t integer_bytes) {
  if (raw.size() != 2 * integer_bytes) return std::nullopt;
  const int size = static_cast<int>(integer_bytes);
  NumberPtr r(BN_bin2bn(bytes_of(raw), size, nullptr));
  NumberPtr s(BN_bin2bn(bytes_of(raw) + integer_bytes, size, nullptr));
  const EcdsaPtr signature(ECDSA_SIG_new());
  if (!r || !s || !signature || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) {
    throw_internal("the signature could not be verified");
  }
  static_cast<void>(r.release());  // owned by `signature` now
  static_cast<void>(s.release());
  std::string der(static_cast<std::size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)), '\0');
  unsigned char* at = bytes_of(der);
  i2d_ECDSA_SIG(signature.get(), &at);
  return der;
}

}  // namespace

struct JwtKey::Impl {
  Impl(JwtAlgorithm of, std::string key_id) : algorithm(of), id(std::move(key_id)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { OPENSSL_cleanse(secret.data(), secret.size()); }

  JwtAlgorithm algorithm;
  std::string id;
  std::string secret;  // of HMAC
  KeyPtr key;          // of the others
  bool is_private = false;
};

std::string_view to_string(JwtAlgorithm algorithm) noexcept { return facts(algorithm).name; }

JwtKey::JwtKey(std::shared_ptr<const Impl> impl) noexcept : impl_(std::move(impl)) {}

JwtKey JwtKey::hmac(JwtAlgorithm algorithm, std::string_view secret, std::string id) {
  const Facts& wanted = facts(algorithm);
  if (wanted.kind != Kind::kHmac)
    throw_invalid(fmt::format("{} takes a key in PEM, not a secret", wanted.name));
  constexpr std::size_t kMaxSecretBytes = 64 * 1024;
  if (secret.size() < wanted.hash_bytes || secret.size() > kMaxSecretBytes) {
    throw_invalid(fmt::format("the secret for {} has {} bytes; it needs {} or more, up to 64 KiB",
                              wanted.name, secret.size(), wanted.hash_bytes));
  }
  auto impl = std::make_shared<Impl>(algorithm, std::move(id));
  impl->secret = secret;
  return JwtKey(std::move(impl));
}

JwtKey JwtKey::pem(JwtAlgorithm algorithm, std::string_view pem, std::string id) {
  const Facts& wanted = facts(algorithm);
  if (wanted.kind == Kind::kHmac)
    throw_invalid(fmt::format("{} takes a secret, not a key in PEM", wanted.name));
  auto impl = std::make_shared<Impl>(algorithm, std::move(id));
  Read read = read_pem(pem);
  if (!read.key) throw_invalid("the key is not a public or unencrypted private key in PEM");
  ERR_clear_error();  // a public key was tried as a private one first
  check_key(read.key.get(), wanted);
  impl->key = std::move(read.key);
  impl->is_private = read.is_private;
  return JwtKey(std::move(impl));
}

JwtAlgorithm JwtKey::algorithm() const noexcept { return impl_->algorithm; }
const std::string& JwtKey::id() const noexcept { return impl_->id; }

std::string JwtKey::sign(std::string_view text) const {
  const Facts& algorithm = facts(impl_->algorithm);
  if (algorithm.kind == Kind::kHmac) return hmac_of(algorithm, impl_->secret, text);
  if (!impl_->is_private) throw Error(Code::kFailedPrecondition, "a public key cannot sign");
  std::string signature = sign_digest(algorithm, impl_->key.get(), text);
  return algorithm.kind == Kind::kEcdsa ? raw_from_der(signature, algorithm.integer_bytes) : signature;
}

bool JwtKey::verify(std::string_view text, std::string_view signature) const {
  const Facts& algorithm = facts(impl_->algorithm);
  if (algorithm.kind == Kind::kHmac) {
    const std::string expected = hmac_of(algorithm, impl_->secret, text);
    return signature.size() == expected.size() &&
           CRYPTO_memcmp(signature.data(), expected.data(), expected.size()) == 0;
  }
  if (algorithm.kind == Kind::kRsa) return verify_digest(algorithm, impl_->key.get(), text, signature);
  const auto der = der_from_raw(signature, algorithm.integer_bytes);
  return der && verify_digest(algorithm, impl_->key.get(), text, *der);
}

}  // namespace degu::http
