// Each shard keeps its buckets in the order of their last use. Full ones gather at the end of that list: two of them go
// whenever a key comes that is new, so the list cannot grow by what is idle, and no sweep ever holds a lock for long.
#include <degu/base/error.h>
#include <degu/base/hash.h>
#include <degu/resilience/keyed_rate_limiter.h>
#include <degu/sync/mutex.h>

#include <iterator>
#include <list>
#include <mutex>
#include <unordered_map>

namespace degu {
namespace {

constexpr int kDropsForANewKey = 2;

struct Bucket {
  uint64_t hash;
  int64_t full_at;
};

// The hash is one already, and keyed.
struct AsItIs {
  std::size_t operator()(uint64_t hash) const noexcept { return static_cast<std::size_t>(hash); }
};

}  // namespace

struct alignas(64) KeyedRateLimiter::Shard {
  mutable Mutex mutex;
  std::list<Bucket> by_use;  // guarded by mutex; the latest first
  std::unordered_map<uint64_t, std::list<Bucket>::iterator, AsItIs> by_hash;  // guarded by mutex

  void drop_last() {
    by_hash.erase(by_use.back().hash);
    by_use.pop_back();
  }

  Bucket& bucket_of(uint64_t hash, int64_t now, std::size_t max_keys) {
    const auto found = by_hash.find(hash);
    if (found != by_hash.end()) {
      by_use.splice(by_use.begin(), by_use, found->second);
      return by_use.front();
    }
    for (int i = 0; i < kDropsForANewKey && !by_use.empty() && by_use.back().full_at <= now; ++i) drop_last();
    if (by_use.size() >= max_keys) drop_last();
    by_use.push_front({hash, now});
    try {
      by_hash.emplace(hash, by_use.begin());
    } catch (...) {
      by_use.pop_front();
      throw;
    }
    return by_use.front();
  }
};

KeyedRateLimiter::KeyedRateLimiter(KeyedRateOptions options)
    : gcra_(options.rate.per_second, options.rate.burst),
      max_keys_of_shard_((options.max_keys + kShards - 1) / kShards),
      shards_(std::make_unique<Shard[]>(kShards)) {
  if (options.max_keys == 0)
    throw Error(Code::kInvalidArgument, "a rate limiter needs room for one key or more");
}

KeyedRateLimiter::~KeyedRateLimiter() = default;

RateDecision KeyedRateLimiter::take(std::string_view key, uint64_t tokens) {
  const uint64_t hash = KeyedHash<std::string_view>{}(key);
  const int64_t now = resilience_internal::now_ns();
  Shard& shard = shards_[hash >> 60];  // the highest bits: the table takes its bucket from the lowest
  const std::lock_guard lock(shard.mutex);
  return gcra_.take(shard.bucket_of(hash, now, max_keys_of_shard_).full_at, now, tokens);
}

std::size_t KeyedRateLimiter::keys() const {
  std::size_t total = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    total += shards_[i].by_use.size();
  }
  return total;
}

}  // namespace degu
