// Tokens: JSON Web Tokens (RFC 7519) signed with HS256, and nothing else.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace shop::user {

struct TokenOptions {
  std::string issuer = "degu-shop";
  std::string audience = "shop";
  std::chrono::seconds lifetime{std::chrono::hours(24)};
  std::chrono::seconds leeway{5};  // for clocks that differ, on both ends of a token's life
};

struct Token {
  std::string text;
  int64_t expires_at = 0;  // seconds since 1970
};

struct Claims {
  std::string subject;
  int64_t expires_at = 0;
};

/// Signs and verifies. Goroutine-safe, never blocks. The algorithm is fixed here: what a token's header says
/// can only lead to a refusal. The key is named by its `kid`, a digest of it, so tokens of another key are
/// told apart at once.
class TokenAuthority {
 public:
  /// `secret`: 32 bytes or more from a secure generator; Error(kInvalidArgument) if shorter.
  explicit TokenAuthority(std::string secret, TokenOptions options = {});

  /// `now`: seconds since 1970.
  Token issue(std::string_view subject, int64_t now) const;

  /// Checks, in this order: length (2 KiB at most), three parts of strict base64url, the header, the
  /// signature (in constant time), then iss, aud, nbf, exp and sub, all of which have to be there. Throws
  /// degu::Error(kUnauthenticated) whose message says which check failed and nothing of the token.
  Claims verify(std::string_view text, int64_t now) const;

 private:
  std::string sign(std::string_view text) const;

  std::string secret_;
  std::string key_id_;
  TokenOptions options_;
};

/// The secret in the file, or, if there is no file, a fresh one written to it with mode 0600 and flushed to
/// the disk. Throws degu::Error(kFailedPrecondition) when others than the owner may read the file or it is
/// too short, kUnavailable when it cannot be read or written. Blocks on the disk.
std::string load_or_make_secret(const std::string& path);

}  // namespace shop::user
