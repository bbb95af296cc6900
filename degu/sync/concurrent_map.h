// ConcurrentMap: a hash map that many goroutines use at once. Go's sync.Map, typed.
#pragma once

#include <degu/base/hash.h>
#include <degu/sync/rw_mutex.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace degu {

/// Thread-safe; each operation is atomic. Readers of a key do not wait for each other, writers only for those whose
/// keys are in the same of kShards parts. K needs std::hash and ==; the hash is keyed, so that keys from outside cannot
/// be chosen to collide. V is given out by copy: use a shared_ptr for what is large. No lock is held while `range`
/// calls back, nor while replaced values are destroyed; K's == and the copies of V run under a shard's lock and must
/// not use the same map.
///
/// For tables that live long and are used by many: an empty one takes 6 KiB. A Mutex and a map do for the rest.
template <class K, class V>
class ConcurrentMap {
  static_assert(std::is_copy_constructible_v<V>, "ConcurrentMap gives values out by copy: use a shared_ptr");
  static_assert(std::equality_comparable<K>);

 public:
  static constexpr std::size_t kShards = 32;

  struct Loaded {
    V value;
    bool loaded;  ///< it was there; false: it was stored
  };

  ConcurrentMap() = default;
  ConcurrentMap(const ConcurrentMap&) = delete;
  ConcurrentMap& operator=(const ConcurrentMap&) = delete;

  /// nullopt: not there.
  std::optional<V> load(const K& key) const {
    const Probe probe(key);
    const Shard& shard = shard_of(probe);
    const std::shared_lock lock(shard.mutex);
    auto it = shard.map.find(probe);
    return it == shard.map.end() ? std::nullopt : std::optional<V>(it->second);
  }
  bool contains(const K& key) const {
    const Probe probe(key);
    const Shard& shard = shard_of(probe);
    const std::shared_lock lock(shard.mutex);
    return shard.map.find(probe) != shard.map.end();
  }

  void store(K key, V value) { static_cast<void>(swap(std::move(key), std::move(value))); }

  /// What is there; if nothing is, stores `value`.
  Loaded load_or_store(K key, V value) {
    const Probe probe(key);
    Shard& shard = shard_of(probe);
    const std::unique_lock lock(shard.mutex);
    auto it = shard.map.find(probe);
    if (it != shard.map.end()) return {it->second, true};
    Loaded result{value, false};
    shard.map.emplace(Entry{std::move(key), probe.hash}, std::move(value));
    return result;
  }

  /// Stores `value` and returns what was there before.
  std::optional<V> swap(K key, V value) {
    const Probe probe(key);
    Shard& shard = shard_of(probe);
    const std::unique_lock lock(shard.mutex);
    auto it = shard.map.find(probe);
    if (it != shard.map.end()) return std::exchange(it->second, std::move(value));
    shard.map.emplace(Entry{std::move(key), probe.hash}, std::move(value));
    return std::nullopt;
  }

  /// Removes the key and returns what it had.
  std::optional<V> load_and_delete(const K& key) {
    const Probe probe(key);
    Shard& shard = shard_of(probe);
    typename Table::node_type removed;  // destroyed after the unlock
    {
      const std::unique_lock lock(shard.mutex);
      auto it = shard.map.find(probe);
      if (it == shard.map.end()) return std::nullopt;
      removed = shard.map.extract(it);
    }
    return std::move(removed.mapped());
  }
  /// True: it was there. Go's Delete, whose name is a keyword.
  bool erase(const K& key) { return load_and_delete(key).has_value(); }

  /// Stores `wanted` if `expected` is there.
  bool compare_and_swap(const K& key, const V& expected, V wanted) requires std::equality_comparable<V> {
    const Probe probe(key);
    Shard& shard = shard_of(probe);
    const std::unique_lock lock(
        shard.mutex);  // unlocked before `wanted`, the old value by then, is destroyed
    auto it = shard.map.find(probe);
    if (it == shard.map.end() || !(it->second == expected)) return false;
    using std::swap;
    swap(it->second, wanted);
    return true;
  }

  /// Removes the key if it has `expected`.
  bool compare_and_delete(const K& key, const V& expected) requires std::equality_comparable<V> {
    const Probe probe(key);
    Shard& shard = shard_of(probe);
    typename Table::node_type removed;
    const std::unique_lock lock(shard.mutex);
    auto it = shard.map.find(probe);
    if (it == shard.map.end() || !(it->second == expected)) return false;
    removed = shard.map.extract(it);
    return true;
  }

  /// Calls `visit(key, value)` for all; one that returns false ends it. Each key is visited at most once, with a value
  /// it had at some moment during the call; a key that is there all the time is visited. Not one moment's picture of
  /// the whole. `visit` may wait and may use the map. Copies a shard at a time.
  template <class F>
  void range(F&& visit) const {
    for (const Shard& shard : shards_) {
      std::vector<std::pair<K, V>> copy;
      {
        const std::shared_lock lock(shard.mutex);
        copy.reserve(shard.map.size());
        for (const auto& [entry, value] : shard.map) copy.emplace_back(entry.key, value);
      }
      for (const auto& [key, value] : copy) {
        if constexpr (std::is_void_v<std::invoke_result_t<F&, const K&, const V&>>) {
          visit(key, value);
        } else if (!visit(key, value)) {
          return;
        }
      }
    }
  }

  /// Removes all that was there when it began. What is stored meanwhile may stay or go.
  void clear() {
    for (Shard& shard : shards_) {
      Table removed;
      const std::unique_lock lock(shard.mutex);
      removed.swap(shard.map);
    }
  }

  /// How many there are; as exact as `range`.
  std::size_t size() const {
    std::size_t total = 0;
    for (const Shard& shard : shards_) {
      const std::shared_lock lock(shard.mutex);
      total += shard.map.size();
    }
    return total;
  }

 private:
  struct Entry {
    K key;
    uint64_t hash;
  };
  struct Probe {
    const K& key;
    uint64_t hash;
    explicit Probe(const K& k) : key(k), hash(KeyedHash<K>{}(k)) {}
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Entry& e) const noexcept { return static_cast<std::size_t>(e.hash); }
    std::size_t operator()(const Probe& p) const noexcept { return static_cast<std::size_t>(p.hash); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const { return a.hash == b.hash && a.key == b.key; }
    bool operator()(const Probe& a, const Entry& b) const { return a.hash == b.hash && a.key == b.key; }
    bool operator()(const Entry& a, const Probe& b) const { return a.hash == b.hash && a.key == b.key; }
  };
  using Table = std::unordered_map<Entry, V, Hash, Equal>;

  struct alignas(64) Shard {
    mutable RWMutex mutex;
    Table map;  // guarded by mutex
  };

  // The highest bits: the table takes its bucket from the lowest.
  static constexpr unsigned kShardShift = 59;
  static_assert(kShards == std::size_t{1} << (64 - kShardShift));
  Shard& shard_of(const Probe& probe) noexcept { return shards_[probe.hash >> kShardShift]; }
  const Shard& shard_of(const Probe& probe) const noexcept { return shards_[probe.hash >> kShardShift]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace degu
