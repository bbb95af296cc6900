// After golang/go src/sync/map_test.go and src/internal/sync/hashtriemap_test.go.
#include <degu/base/random.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/concurrent_map.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

namespace degu {
namespace {

using testing::Counted;

// A key whose std::hash is the same for all: only == tells them apart.
struct Clash {
  int n;
  friend bool operator==(const Clash&, const Clash&) = default;
};

}  // namespace
}  // namespace degu

template <>
struct std::hash<degu::Clash> {
  std::size_t operator()(const degu::Clash&) const noexcept { return 7; }
};

namespace degu {
namespace {

TEST(ConcurrentMap, OneAtATime) {
  run([] {
    ConcurrentMap<std::string, int> map;
    EXPECT_FALSE(map.load("a"));
    EXPECT_FALSE(map.erase("a"));
    map.store("a", 1);
    EXPECT_EQ(map.load("a"), 1);
    EXPECT_TRUE(map.contains("a"));
    EXPECT_EQ(map.swap("a", 2), 1);
    EXPECT_EQ(map.swap("b", 3), std::nullopt);
    const auto there = map.load_or_store("a", 9);
    EXPECT_EQ(there.value, 2);
    EXPECT_TRUE(there.loaded);
    const auto stored = map.load_or_store("c", 9);
    EXPECT_EQ(stored.value, 9);
    EXPECT_FALSE(stored.loaded);
    EXPECT_EQ(map.size(), 3U);
    EXPECT_EQ(map.load_and_delete("c"), 9);
    EXPECT_EQ(map.load_and_delete("c"), std::nullopt);
    EXPECT_FALSE(map.contains("c"));
    map.clear();
    EXPECT_EQ(map.size(), 0U);
    EXPECT_FALSE(map.load("a"));
  });
}

// CompareAndSwap_NonExistingKey and the rest of its family.
TEST(ConcurrentMap, CompareAnd) {
  run([] {
    ConcurrentMap<int, std::string> map;
    EXPECT_FALSE(map.compare_and_swap(1, "", "x"));
    EXPECT_FALSE(map.compare_and_delete(1, ""));
    EXPECT_FALSE(map.contains(1));
    map.store(1, "x");
    EXPECT_FALSE(map.compare_and_swap(1, "y", "z"));
    EXPECT_EQ(map.load(1), "x");
    EXPECT_TRUE(map.compare_and_swap(1, "x", "z"));
    EXPECT_FALSE(map.compare_and_delete(1, "x"));
    EXPECT_EQ(map.load(1), "z");
    EXPECT_TRUE(map.compare_and_delete(1, "z"));
    EXPECT_FALSE(map.contains(1));
  });
}

// MapMatchesRWMutex, MapMatchesDeepCopy: against a plain map, by random operations.
TEST(ConcurrentMap, MatchesAPlainMap) {
  run([] {
    const uint64_t seed = random_u64();
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    ConcurrentMap<int, int> map;
    std::map<int, int> plain;
    for (int step = 0; step < 20'000; ++step) {
      const int key = static_cast<int>(random.below(60));
      const int value = static_cast<int>(random.below(4));
      const auto it = plain.find(key);
      const std::optional<int> old = it == plain.end() ? std::nullopt : std::optional<int>(it->second);
      switch (random.below(7)) {
        case 0:
          EXPECT_EQ(map.load(key), old);
          break;
        case 1:
          EXPECT_EQ(map.swap(key, value), old);
          plain[key] = value;
          break;
        case 2: {
          const auto got = map.load_or_store(key, value);
          EXPECT_EQ(got.loaded, old.has_value());
          EXPECT_EQ(got.value, old.value_or(value));
          plain.try_emplace(key, value);
          break;
        }
        case 3:
          EXPECT_EQ(map.load_and_delete(key), old);
          plain.erase(key);
          break;
        case 4:
          EXPECT_EQ(map.compare_and_swap(key, value, value + 1), old == value);
          if (old == value) plain[key] = value + 1;
          break;
        case 5:
          EXPECT_EQ(map.compare_and_delete(key, value), old == value);
          if (old == value) plain.erase(key);
          break;
        default:
          if (random.below(500) == 0) {
            map.clear();
            plain.clear();
          }
      }
    }
    std::map<int, int> seen;
    map.range([&](int key, int value) { EXPECT_TRUE(seen.emplace(key, value).second); });
    EXPECT_EQ(seen, plain);
    EXPECT_EQ(map.size(), plain.size());
  });
}

// ConcurrentRange: keys that stay are visited exactly once a range, while their values change.
TEST(ConcurrentMap, RangeWhileOthersStore) {
  all_shapes([] {
    constexpr int kKeys = 200;
    ConcurrentMap<int, int> map;
    for (int key = 1; key <= kKeys; ++key) map.store(key, key);
    std::atomic<bool> stop{false};
    WaitGroup writers;
    for (int g = 0; g < 3; ++g) {
      writers.go([&, g] {
        for (int round = 1; !stop; ++round) {
          for (int key = 1; key <= kKeys; ++key) {
            if (key % 3 == g) map.store(key, key * (round % 100 + 1));
            if (key % 50 == 0) yield();
          }
          // Comes and goes; may be seen or not, yet at most once.
          map.store(-g - 1, 0);
          map.erase(-g - 1);
        }
      });
    }
    for (int i = 0; i < 5; ++i) {
      std::set<int> seen;
      map.range([&](int key, int value) {
        EXPECT_TRUE(seen.insert(key).second) << key << " twice";
        EXPECT_EQ(value % key, 0) << "a value that was never stored";
        if (key % 40 == 0) yield();
      });
      EXPECT_EQ(std::distance(seen.lower_bound(1), seen.end()), kKeys);
    }
    stop = true;
    writers.wait();
  });
}

// MapRangeNestedCall: the visitor uses the map.
TEST(ConcurrentMap, VisitorMayUseTheMap) {
  run([] {
    ConcurrentMap<int, std::string> map;
    for (int i = 0; i < 3; ++i) map.store(i, "value");
    int visits = 0;
    map.range([&](int key, const std::string&) {
      map.range([&](int other, const std::string&) {
        EXPECT_TRUE(map.load(other));
        map.store(42, "dummy");
        EXPECT_FALSE(map.load_or_store(43, "dummy").loaded);
        EXPECT_EQ(map.load_and_delete(43), "dummy");
        return true;
      });
      map.erase(key);
      ++visits;
    });
    EXPECT_GE(visits, 3);
    EXPECT_LE(visits, 4);  // 42 is seen if its shard comes later
    int first_only = 0;
    map.store(1, "again");
    map.range([&](int, const std::string&) { return ++first_only, false; });
    EXPECT_EQ(first_only, 1);
  });
}

// Every increment arrives: compare_and_swap is atomic, and so is load_or_store.
TEST(ConcurrentMap, CountsByCompareAndSwap) {
  all_shapes([] {
    ConcurrentMap<std::string, int> map;
    std::atomic<int> firsts{0};
    WaitGroup wg;
    for (int g = 0; g < 6; ++g) {
      wg.go([&] {
        for (int i = 0; i < 60; ++i) {
          const std::string key = "counter " + std::to_string(i % 4);
          if (!map.load_or_store(key, 0).loaded) firsts.fetch_add(1);
          for (;;) {
            const int old = *map.load(key);
            if (i % 16 == 0) yield();
            if (map.compare_and_swap(key, old, old + 1)) break;
          }
        }
      });
    }
    wg.wait();
    int total = 0;
    map.range([&](const std::string&, int n) { total += n; });
    EXPECT_EQ(total, 360);
    EXPECT_EQ(firsts, 4);
  });
}

// Of several that delete one key exactly one gets it.
TEST(ConcurrentMap, OneDeleteWins) {
  all_shapes([] {
    ConcurrentMap<int, int> map;
    for (int i = 0; i < 300; ++i) map.store(i, i);
    std::atomic<int> won{0};
    WaitGroup wg;
    for (int g = 0; g < 4; ++g) {
      wg.go([&, g] {
        for (int i = 0; i < 300; ++i) {
          if (g % 2 == 0 ? map.load_and_delete(i).has_value() : map.compare_and_delete(i, i))
            won.fetch_add(1);
          if (i % 30 == g) yield();
        }
      });
    }
    wg.wait();
    EXPECT_EQ(won, 300);
    EXPECT_EQ(map.size(), 0U);
  });
}

// ConcurrentClear
TEST(ConcurrentMap, ClearWhileOthersStore) {
  all_shapes([] {
    ConcurrentMap<int, int> map;
    WaitGroup wg;
    for (int g = 0; g < 4; ++g) {
      wg.go([&, g] {
        for (int i = 0; i < 50; ++i) {
          map.store(g * 50 + i, i);
          if (i % 10 == 0) yield();
          if (i % 25 == 24) map.clear();
        }
      });
    }
    wg.wait();
    map.clear();
    EXPECT_EQ(map.size(), 0U);
  });
}

// Issue40999: keys and values go when they are removed, not with the map.
TEST(ConcurrentMap, KeepsNothingThatWasRemoved) {
  run([] {
    ConcurrentMap<int, std::shared_ptr<Counted>> map;
    for (int i = 0; i < 20; ++i) map.store(i, std::make_shared<Counted>(i));
    EXPECT_EQ(Counted::alive, 20);
    map.store(0, nullptr);
    EXPECT_EQ(Counted::alive, 19);
    map.erase(1);
    EXPECT_EQ(Counted::alive, 18);
    EXPECT_TRUE(map.compare_and_swap(2, *map.load(2), nullptr));
    EXPECT_TRUE(map.compare_and_delete(3, *map.load(3)));
    EXPECT_EQ(Counted::alive, 16);
    map.clear();
    EXPECT_EQ(Counted::alive, 0);
  });
}

// A destructor that uses the map: no lock is held while it runs.
TEST(ConcurrentMap, DestroysOutsideItsLocks) {
  run([] {
    struct Last {
      ConcurrentMap<int, std::shared_ptr<Last>>& map;
      int key;
      ~Last() { EXPECT_FALSE(map.erase(key)); }
    };
    ConcurrentMap<int, std::shared_ptr<Last>> map;
    map.store(1, std::shared_ptr<Last>(new Last{map, 1000}));
    map.store(2, std::shared_ptr<Last>(new Last{map, 2}));
    map.erase(2);
    map.store(3, std::shared_ptr<Last>(new Last{map, 4}));
    map.store(3, nullptr);
    map.store(4, std::shared_ptr<Last>(new Last{map, 4}));
    map.clear();
  });
}

TEST(ConcurrentMap, KeysThatClashAreKeptApart) {
  run([] {
    ConcurrentMap<Clash, int> map;
    for (int i = 0; i < 50; ++i) map.store(Clash{i}, i);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(map.load(Clash{i}), i);
    EXPECT_EQ(map.size(), 50U);
  });
}

TEST(ConcurrentMap, ForeignThreadsTakePart) {
  run([] {
    ConcurrentMap<int, int> map;
    std::thread thread([&] {
      for (int i = 0; i < 500; ++i) map.store(i, i);
    });
    for (int i = 500; i < 1000; ++i) map.store(i, i);
    blocking([&] { thread.join(); });
    EXPECT_EQ(map.size(), 1000U);
  });
}

}  // namespace
}  // namespace degu
