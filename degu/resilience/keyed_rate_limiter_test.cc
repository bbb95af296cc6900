#include <degu/base/testing/code_of.h>
#include <degu/base/testing/fixed_time.h>
#include <degu/resilience/keyed_rate_limiter.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>

namespace degu {
namespace {

using namespace std::chrono_literals;

TEST(KeyedRateLimiter, KeepsKeysApart) {
  testing::FixedTime time;
  KeyedRateLimiter limiter({.rate = {.per_second = 1, .burst = 2}});
  EXPECT_TRUE(limiter.take("a").allowed);
  EXPECT_TRUE(limiter.take("a").allowed);
  const RateDecision refused = limiter.take("a");
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, 1s);
  EXPECT_TRUE(limiter.take("b", 2).allowed);
  EXPECT_TRUE(limiter.take("").allowed);
  EXPECT_TRUE(limiter.take(std::string("a\0", 2)).allowed);
  EXPECT_EQ(limiter.keys(), 4U);
  time.advance(1s);
  EXPECT_TRUE(limiter.take("a").allowed);
  EXPECT_FALSE(limiter.take("a").allowed);
}

TEST(KeyedRateLimiter, DropsBucketsThatAreFullAgain) {
  testing::FixedTime time;
  KeyedRateLimiter limiter({.rate = {.per_second = 1, .burst = 2}, .max_keys = 100'000});
  for (int i = 0; i < 10'000; ++i) limiter.take("old" + std::to_string(i));
  EXPECT_EQ(limiter.keys(), 10'000U);
  time.advance(1s);
  for (int i = 0; i < 10'000; ++i) limiter.take("new" + std::to_string(i));
  EXPECT_LT(limiter.keys(), 10'500U);
  EXPECT_GE(limiter.keys(), 10'000U);
}

TEST(KeyedRateLimiter, NeverDropsOneThatIsInUseWhileThereIsRoom) {
  testing::FixedTime time;
  KeyedRateLimiter limiter({.rate = {.per_second = 1, .burst = 1}, .max_keys = 4096});
  EXPECT_TRUE(limiter.take("victim").allowed);
  for (int i = 0; i < 1000; ++i) limiter.take(std::to_string(i));
  EXPECT_FALSE(limiter.take("victim").allowed);
}

TEST(KeyedRateLimiter, IsBoundedUnderAFloodOfKeys) {
  const testing::FixedTime time;  // no bucket refills
  KeyedRateLimiter limiter({.rate = {.per_second = 1, .burst = 1}, .max_keys = 160});
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_TRUE(limiter.take(std::to_string(i)).allowed);
    if (i % 3 == 0 && i > 0) {
      EXPECT_FALSE(limiter.take(std::to_string(i)).allowed);
    }
  }
  EXPECT_EQ(limiter.keys(), 160U);
  KeyedRateLimiter tiny({.rate = {.per_second = 1, .burst = 1}, .max_keys = 1});
  for (int i = 0; i < 1000; ++i) tiny.take(std::to_string(i));
  EXPECT_EQ(tiny.keys(), 16U);
}

TEST(KeyedRateLimiter, DropsTheOneLeastRecentlyAskedFor) {
  const testing::FixedTime time;
  KeyedRateLimiter limiter({.rate = {.per_second = 1, .burst = 1}, .max_keys = 160});
  EXPECT_TRUE(limiter.take("persistent").allowed);
  for (int i = 0; i < 10'000; ++i) {
    limiter.take(std::to_string(i));
    EXPECT_FALSE(limiter.take("persistent").allowed);
  }
}

TEST(KeyedRateLimiter, CountsExactlyAmongManyGoroutines) {
  run([] {
    KeyedRateLimiter limiter({.rate = {.per_second = 1.0 / 3600, .burst = 100}});
    std::atomic<int> taken{0};
    WaitGroup done;
    for (int i = 0; i < 16; ++i) {
      done.go([&] {
        for (int j = 0; j < 1000; ++j) {
          if (limiter.take(std::to_string(j % 10)).allowed) ++taken;
        }
      });
    }
    done.wait();
    EXPECT_EQ(taken, 1000);
    EXPECT_EQ(limiter.keys(), 10U);
  });
}

TEST(KeyedRateLimiter, RefusesBadOptions) {
  const auto code = [](KeyedRateOptions options) {
    return testing::code_of([&] { const KeyedRateLimiter limiter(options); });
  };
  EXPECT_EQ(code({}), Code::kInvalidArgument);
  EXPECT_EQ(code({.rate = {.per_second = 1, .burst = 0}}), Code::kInvalidArgument);
  EXPECT_EQ(code({.rate = {.per_second = 1, .burst = 1}, .max_keys = 0}), Code::kInvalidArgument);
  EXPECT_EQ(code({.rate = {.per_second = 1, .burst = 1}, .max_keys = 1}), Code::kOk);
}

}  // namespace
}  // namespace degu
