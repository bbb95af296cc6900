// JwtKey: a key with the one algorithm it is for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace degu::http {

/// Of RFC 7518 section 3.1; what is not here, "none" first of all, is not accepted.
enum class JwtAlgorithm : uint8_t {
  kHs256,  ///< HMAC with SHA-256
  kHs384,
  kHs512,
  kRs256,  ///< RSASSA-PKCS1-v1_5 with SHA-256
  kRs384,
  kRs512,
  kEs256,  ///< ECDSA over P-256 with SHA-256
  kEs384,  ///< ECDSA over P-384 with SHA-384
};

/// "HS256".
std::string_view to_string(JwtAlgorithm algorithm) noexcept;

/// Signs and verifies by its own algorithm only, so that nothing in a token can choose another (RFC 8725 section 3.1).
/// A cheap handle; copies share the key, which is wiped with the last one. Safe to use concurrently.
class JwtKey {
 public:
  /// A secret for kHs256 to kHs512: random bytes, as many as the hash has (32, 48, 64) or more (RFC 7518 section 3.2).
  /// `id` is the "kid" of its tokens; "" for none. Throws Error(kInvalidArgument).
  static JwtKey hmac(JwtAlgorithm algorithm, std::string_view secret, std::string id = {});

  /// A key in PEM: "PUBLIC KEY" to verify, "PRIVATE KEY" (not encrypted) to sign and verify. RSA of 2048 bits or more
  /// for kRs256 to kRs512, P-256 for kEs256, P-384 for kEs384. Throws Error(kInvalidArgument) for anything else.
  static JwtKey pem(JwtAlgorithm algorithm, std::string_view pem, std::string id = {});

  JwtAlgorithm algorithm() const noexcept;
  const std::string& id() const noexcept;

  /// The signature in the form of RFC 7518: for ECDSA r and s side by side. Throws Error(kFailedPrecondition) when this
  /// is a public key.
  std::string sign(std::string_view text) const;
  /// In constant time for HMAC.
  bool verify(std::string_view text, std::string_view signature) const;

 private:
  struct Impl;
  explicit JwtKey(std::shared_ptr<const Impl> impl) noexcept;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace degu::http
