// basic_auth: a name and a password with every request.
#pragma once

#include <degu/base/function.h>
#include <degu/http/exchange.h>

#include <string>
#include <string_view>
#include <vector>

namespace degu::http {

struct BasicCredential {
  std::string name;
  std::string password;
};

/// Who basic_auth() has let in: `c.get<BasicUser>()`.
struct BasicUser {
  std::string name;
};

struct BasicAuthOptions {
  /// Shown by browsers when they ask; tells which password is wanted.
  std::string realm = "restricted";
  /// Compared in a time that tells neither which of them matched nor how far, nor how long names and passwords are. For
  /// a few fixed ones; kept as digests.
  std::vector<BasicCredential> users = {};
  /// Or: true if that user may come in. Called concurrently, may wait. To be compared in constant time, and passwords
  /// of people to be kept as slow hashes, is its business.
  UniqueFunction<bool(std::string_view name, std::string_view password)> verify = {};
};

/// HTTP Basic authentication (RFC 7617) in UTF-8. Without credentials that fit: 401 with a challenge. Only over TLS is
/// the password a secret.
///
/// 400 for two Authorization fields. Malformed credentials, control characters, and more than 4 KiB are 401, and
/// `verify` is not asked. Throws Error(kInvalidArgument) unless exactly one of `users` and `verify` is given, for names
/// that are empty or have a colon, for names and passwords with control characters or not in UTF-8, and for a bad
/// realm.
Handler basic_auth(BasicAuthOptions options);

}  // namespace degu::http
