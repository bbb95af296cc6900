// rate_limit: how often one client may come.
#pragma once

#include <degu/base/function.h>
#include <degu/http/exchange.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace degu::http {

/// Whose bucket a request takes from. All for which it gives the same text, "" too, share one. Called concurrently.
using RateKey = UniqueFunction<std::string(Exchange&)>;

/// client_ip(); of IPv6 addresses the first 64 bits, as that is the least that a subscriber gets (RFC 6177), and whoever
/// has 2^64 addresses would have as many buckets. Behind proxies it needs real_ip() before it: all share one else.
RateKey by_client_ip();
/// A request field that a proxy sets: what clients write themselves they can change with every request. Throws
/// Error(kInvalidArgument) for a name that is no token.
RateKey by_header(std::string name);
/// Of api_key(), basic_auth() and jwt() (issuer and subject), which have to come before it.
RateKey by_api_key_owner();
RateKey by_basic_user();
RateKey by_jwt_subject();

struct RateLimitOptions {
  double per_second = 0;          ///< in the long run; 1e-6 to 1e6
  uint64_t burst = 1;             ///< at once, after a pause
  RateKey key = {};               ///< by_client_ip() if empty
  std::size_t max_keys = 65'536;  ///< buckets kept; see KeyedRateLimiter for what happens beyond
  /// Tells the policies of several rate_limit()s apart in the fields of the answer.
  std::string name = "default";
};

/// A token bucket for each key (degu/resilience). A request takes one token before the rest of the chain runs, and is
/// refused with 429 and Retry-After in whole seconds, rounded up, when there is none. Every answer says how things are in
/// RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10): q is the burst, w the seconds in which it
/// comes back, r what is left, t the seconds until all is back.
///
/// Each rate_limit() has buckets of its own, shared by all routes it is used on. Throws Error(kInvalidArgument) for a
/// rate out of range, no room for keys, and a name that is not printable ASCII.
Handler rate_limit(RateLimitOptions options);

}  // namespace degu::http
