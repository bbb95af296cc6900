// api_key: a secret of a program with every request.
#pragma once

#include <degu/base/function.h>
#include <degu/http/exchange.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http {

/// Whose key it was: `c.get<ApiKeyOwner>()`.
struct ApiKeyOwner {
  std::string name;
};

struct ApiKey {
  std::string owner;
  /// api_key_digest() of the key, so that configuration and memory hold no key.
  std::string digest;
};

struct ApiKeyOptions {
  /// Where the key comes; "" for no header.
  std::string header = "X-Api-Key";
  /// A query parameter that may bring it instead; "" for none. URLs end up in logs and histories: for clients that can
  /// do nothing else.
  std::string query = {};
  /// All are compared, in a time that does not tell which one matched. An owner may have several keys.
  std::vector<ApiKey> keys = {};
  /// Or: the owner of a key, nothing if there is none. Called concurrently, may wait. It should look the key up by
  /// api_key_digest(), not compare it.
  UniqueFunction<std::optional<std::string>(std::string_view key)> find_owner = {};
};

/// The SHA-256 digest of a key as 64 hexadecimal digits. Good for keys drawn at random, of 128 bits or more; for
/// passwords it would be too fast.
std::string api_key_digest(std::string_view key);

/// Lets requests pass that bring a known key; 401 for others, 400 when a request has two keys. Keys are 1 to 512
/// bytes long.
///
/// Throws Error(kInvalidArgument) unless exactly one of `keys` and `find_owner` is given and one of `header` and `query`
/// at least, for a digest that is none or that two entries have, and for a header name that is none.
Handler api_key(ApiKeyOptions options);

}  // namespace degu::http
