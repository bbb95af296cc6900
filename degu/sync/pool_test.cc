// After golang/go src/sync/pool_test.go.
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/pool.h>
#include <degu/sync/testing/probe.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace degu {
namespace {

TEST(Pool, GivesBackWhatWasPut) {
  run([] {
    Pool<std::string> pool;
    auto s = pool.get();
    EXPECT_TRUE(s->empty());
    *s = "used";
    const std::string* address = s.get();
    pool.put(std::move(s));
    s = pool.get();
    EXPECT_EQ(s.get(), address);
    EXPECT_EQ(*s, "used");
    EXPECT_TRUE(pool.get()->empty());
    pool.put(nullptr);
  });
}

TEST(Pool, IsBounded) {
  run([] {
    {
      Pool<testing::Counted> pool([] { return std::make_unique<testing::Counted>(1); });
      for (int i = 0; i < 1000; ++i) pool.put(std::make_unique<testing::Counted>(i));
      EXPECT_LE(testing::Counted::alive, static_cast<int>(pool.kShards * pool.kIdlePerShard));
      EXPECT_GT(testing::Counted::alive, 0);
      { const auto lease = pool.borrow(); }
    }
    EXPECT_EQ(testing::Counted::alive, 0);
  });
}

// PoolStress: an object is in one pair of hands.
TEST(Pool, Stress) {
  all_shapes([] {
    Pool<int> pool([] { return std::make_unique<int>(0); });
    WaitGroup wg;
    for (int g = 1; g <= 8; ++g) {
      wg.go([&, g] {
        for (int i = 0; i < 100; ++i) {
          auto lease = pool.borrow();
          EXPECT_EQ(*lease, 0);
          *lease = g;
          if (i % 7 == 0) yield();
          EXPECT_EQ(*lease, g);
          *lease = 0;
        }
      });
    }
    wg.wait();
  });
}

// PoolNew: makes one only when none is idle.
TEST(Pool, MakesOnlyWhenEmpty) {
  run({.procs = 1}, [] {
    int made = 0;
    Pool<int> pool([&] { return std::make_unique<int>(++made); });
    auto first = pool.get();
    EXPECT_EQ(*first, 1);
    pool.put(std::move(first));
    EXPECT_EQ(*pool.get(), 1);
    EXPECT_EQ(*pool.get(), 2);
  });
}

// PoolGC, PoolRelease: what is idle goes with clear(), what is lent does not.
TEST(Pool, ClearDestroysWhatIsIdle) {
  run([] {
    {
      Pool<testing::Counted> pool([] { return std::make_unique<testing::Counted>(1); });
      auto lent = pool.get();
      pool.put(std::make_unique<testing::Counted>(2));
      EXPECT_EQ(testing::Counted::alive, 2);
      pool.clear();
      EXPECT_EQ(testing::Counted::alive, 1);
      pool.put(std::move(lent));
      EXPECT_EQ(testing::Counted::alive, 1);
    }
    EXPECT_EQ(testing::Counted::alive, 0);
  });
}

// PoolDequeue, PoolChain: for the queues of this pool, its shards. What is put on some Ps and taken on others comes
// out exactly once, and what was refused is destroyed.
TEST(Pool, EveryObjectComesOutAtMostOnce) {
  all_shapes([] {
    constexpr int kProducers = 3;
    constexpr int kEach = 200;
    struct Item {
      std::atomic<int>& alive;
      std::size_t number;
      Item(std::atomic<int>& count, std::size_t n) : alive(count), number(n) { alive.fetch_add(1); }
      ~Item() { alive.fetch_sub(1); }
    };
    std::atomic<int> alive{0};
    std::vector<std::atomic<int>> seen(kProducers * kEach);
    std::atomic<int> taken{0};
    {
      Pool<Item> pool([]() -> std::unique_ptr<Item> { return nullptr; });  // null: none is idle
      const auto take = [&] {
        const std::unique_ptr<Item> item = pool.get();
        if (item == nullptr) return false;
        EXPECT_EQ(seen[item->number].fetch_add(1), 0) << "came out twice";
        taken.fetch_add(1);
        return true;
      };
      std::atomic<int> producing{kProducers};
      WaitGroup wg;
      for (std::size_t p = 0; p < kProducers; ++p) {
        wg.go([&, p] {
          for (std::size_t i = 0; i < kEach; ++i) {
            pool.put(std::make_unique<Item>(alive, p * kEach + i));
            if (i % 7 == 0) yield();
          }
          producing.fetch_sub(1);
        });
        wg.go([&] {
          while (producing != 0) {
            if (!take()) yield();
          }
        });
      }
      wg.wait();
      // What is left is what was put and neither taken nor refused.
      const int idle = alive;
      const int before = taken;
      while (take()) {
      }
      EXPECT_EQ(taken - before, idle);
    }
    EXPECT_EQ(alive, 0);
    EXPECT_GT(taken, 0);
  });
}

}  // namespace
}  // namespace degu
