// KeyedRateLimiter: a token bucket for each client, tenant or key.
#pragma once

#include <degu/resilience/token_bucket.h>

#include <cstddef>
#include <memory>
#include <string_view>

namespace degu {

struct KeyedRateOptions {
  Rate rate = {};
  /// So many buckets are kept at most, rounded up to a multiple of 16; one takes about 100 bytes.
  std::size_t max_keys = 65'536;
};

/// A TokenBucket for each key, for keys that strangers choose. Thread-safe; keys are spread over 16 locks that are held
/// for the few steps of one decision. Allocates for a key that is new.
///
/// Memory is bounded: a bucket that is full again is dropped, as a new one would be the same. When max_keys are in use, the
/// one that was asked for longest ago goes; who comes back after that finds a full bucket. Keys are told apart by their
/// 64-bit hash under the secret of the process (degu/base/hash.h): nobody can aim for another's bucket, and two of 65,536
/// keys share one by chance once in 8 billion processes.
class KeyedRateLimiter {
 public:
  /// Throws Error(kInvalidArgument) for a rate out of range or no keys.
  explicit KeyedRateLimiter(KeyedRateOptions options);
  ~KeyedRateLimiter();
  KeyedRateLimiter(const KeyedRateLimiter&) = delete;
  KeyedRateLimiter& operator=(const KeyedRateLimiter&) = delete;

  /// All of `tokens` of the key's bucket or none. Waits for no more than a lock, whatever the context.
  RateDecision take(std::string_view key, uint64_t tokens = 1);

  /// Buckets that are kept at this moment.
  std::size_t keys() const;

 private:
  struct Shard;
  static constexpr std::size_t kShards = 16;

  resilience_internal::Gcra gcra_;
  std::size_t max_keys_of_shard_;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace degu
