// jwt: JSON Web Tokens, made and verified (RFC 7519 in the compact form of RFC 7515), by the advice of RFC 8725.
#pragma once

#include <degu/http/exchange.h>
#include <degu/http/json_reader.h>
#include <degu/http/jwt_key.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http {

/// A NumericDate. Not in nanoseconds: tokens that never expire name dates beyond those.
using JwtTime = std::chrono::sys_time<std::chrono::microseconds>;

/// Whom and what a token speaks of. After jwt(): `c.get<JwtClaims>()`.
struct JwtClaims {
  std::string issuer = {};                           ///< iss
  std::string subject = {};                          ///< sub
  std::vector<std::string> audience = {};            ///< aud
  std::optional<JwtTime> expires_at = std::nullopt;  ///< exp
  std::optional<JwtTime> not_before = std::nullopt;  ///< nbf
  std::optional<JwtTime> issued_at = std::nullopt;   ///< iat
  std::string id = {};                               ///< jti
  /// All claims of a verified token, for further ones: `claims.document->root().find("scope")`. Null in one's own.
  std::shared_ptr<const json::Document> document = nullptr;
};

struct JwtOptions {
  /// The closed set that tokens may be signed by. A token with a "kid" is verified by the key of that id, one without by
  /// the sole key of its algorithm.
  std::vector<JwtKey> keys = {};
  /// "iss" has to be one of these.
  std::vector<std::string> issuers = {};
  /// "aud" has to name this.
  std::string audience = {};
  /// For tokens of issuers that leave a claim out. What is there is checked all the same.
  bool require_issuer = true;
  bool require_audience = true;
  bool require_expiry = true;
  bool require_not_before = true;
  /// By how much clocks may differ; up to 10 minutes.
  std::chrono::seconds leeway{30};
  /// The "typ" that a token has to have, e.g. "at+jwt"; "": "JWT" or none.
  std::string type = {};

  /// A cookie that may bring the token when there is no Authorization field; "" for none. Use csrf() beside it.
  std::string cookie = {};
  /// Requests without a token pass, without JwtClaims. Those with a bad one never do.
  bool optional = false;
  /// Of the challenge; "" for none.
  std::string realm = {};
};

/// Longer tokens are refused unread.
inline constexpr std::size_t kMaxJwtBytes = 8192;

/// Verifies tokens; safe to use concurrently. The clock is degu::wall_now().
class JwtVerifier {
 public:
  /// Throws Error(kInvalidArgument) for options under which no token, or any, could be verified: no keys, two with one id,
  /// a required issuer or audience that is not given, a leeway out of range.
  explicit JwtVerifier(JwtOptions options);

  /// Throws Error(kUnauthenticated) that says why: the token is longer than kMaxJwtBytes, not three parts in strict
  /// base64url, its header or claims are not JSON objects in UTF-8 or repeat a name, it demands an extension ("crit"), its
  /// key is not known, its algorithm is not that of the key, its signature is wrong, or a claim is missing, of the wrong
  /// type or does not fit. Claims are read only behind a good signature. A token is expired at "exp" plus leeway, not
  /// before.
  JwtClaims verify(std::string_view token) const;

 private:
  const JwtKey& key_for(const json::Value& header) const;
  void check_header(const json::Value& header) const;
  void check_claims(const JwtClaims& claims) const;

  JwtOptions options_;
};

/// Lets requests pass that bring a good token as "Authorization: Bearer" (RFC 6750 section 2.1) or cookie. Others get 401
/// and a challenge by RFC 6750 section 3, with error="invalid_token" if there was a token; 400 for two Authorization
/// fields; two cookies of the name are a bad token. Throws as JwtVerifier does, and for a realm with control characters
/// or a cookie name that is no token.
Handler jwt(JwtOptions options);

/// A token with the claims that are set, dates cut to whole seconds; the header has alg, kid if the key has an id, and
/// typ. Throws Error(kFailedPrecondition) for a public key, kOutOfRange when the token is longer than kMaxJwtBytes.
std::string sign_jwt(const JwtKey& key, const JwtClaims& claims, std::string_view type = "JWT");
/// The same with claims of one's own: a JSON object. Throws Error(kInvalidArgument) when it is none.
std::string sign_jwt(const JwtKey& key, std::string_view claims, std::string_view type = "JWT");

}  // namespace degu::http
