#include <degu/base/testing/code_of.h>
#include <degu/base/testing/fixed_time.h>
#include <degu/resilience/token_bucket.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>

namespace degu {
namespace {

using namespace std::chrono_literals;

int take_all(TokenBucket& bucket) {
  int taken = 0;
  while (bucket.take().allowed) ++taken;
  return taken;
}

static_assert(sizeof(TokenBucket) == 32);

TEST(TokenBucket, StartsFullAndRefills) {
  testing::FixedTime time;
  TokenBucket bucket({.per_second = 10, .burst = 5});
  EXPECT_EQ(take_all(bucket), 5);
  time.advance(99ms);
  EXPECT_FALSE(bucket.take().allowed);
  time.advance(1ms);
  EXPECT_EQ(take_all(bucket), 1);
  time.advance(250ms);
  EXPECT_EQ(take_all(bucket), 2);
  time.advance(50ms);
  EXPECT_EQ(take_all(bucket), 1);
  time.advance(1h);
  EXPECT_EQ(take_all(bucket), 5);
}

TEST(TokenBucket, SaysWhatIsLeftAndWhen) {
  testing::FixedTime time;
  TokenBucket bucket({.per_second = 10, .burst = 3});
  RateDecision decision = bucket.take();
  EXPECT_TRUE(decision.allowed);
  EXPECT_EQ(decision.remaining, 2U);
  EXPECT_EQ(decision.reset_after, 100ms);
  EXPECT_EQ(decision.retry_after, 0ns);
  decision = bucket.take(2);
  EXPECT_TRUE(decision.allowed);
  EXPECT_EQ(decision.remaining, 0U);
  EXPECT_EQ(decision.reset_after, 300ms);
  time.advance(30ms);
  decision = bucket.take();
  EXPECT_FALSE(decision.allowed);
  EXPECT_EQ(decision.remaining, 0U);
  EXPECT_EQ(decision.retry_after, 70ms);
  EXPECT_EQ(decision.reset_after, 270ms);
  EXPECT_EQ(bucket.take(3).retry_after, 270ms);
  time.advance(decision.retry_after);
  EXPECT_TRUE(bucket.take().allowed);
}

TEST(TokenBucket, TakesAllOrNothing) {
  const testing::FixedTime time;
  TokenBucket bucket({.per_second = 1, .burst = 5});
  EXPECT_FALSE(bucket.take(6).allowed);
  EXPECT_EQ(bucket.take(6).retry_after, std::chrono::nanoseconds::max());
  EXPECT_EQ(bucket.take(std::numeric_limits<uint64_t>::max()).remaining, 5U);
  EXPECT_TRUE(bucket.take(3).allowed);
  EXPECT_FALSE(bucket.take(3).allowed);
  EXPECT_TRUE(bucket.take(2).allowed);
  EXPECT_TRUE(bucket.take(0).allowed);
  EXPECT_FALSE(bucket.take(1).allowed);
}

TEST(TokenBucket, RefusalsCostNothing) {
  testing::FixedTime time;
  TokenBucket bucket({.per_second = 1, .burst = 1});
  int allowed = 0;
  for (int i = 0; i < 1000; ++i) {
    if (bucket.take().allowed) ++allowed;
    time.advance(10ms);
  }
  EXPECT_EQ(allowed, 10);
}

TEST(TokenBucket, KeepsItsRateInTheLongRun) {
  for (const double rate : {0.001, 1.0, 3.0, 7.7, 1000.0, 999'999.0, 1e6}) {
    testing::FixedTime time;
    TokenBucket bucket({.per_second = rate, .burst = 10});
    take_all(bucket);
    int taken = 0;
    const auto step = std::chrono::nanoseconds(std::llround(3e9 / rate));
    for (int i = 0; i < 1000; ++i) {
      time.advance(step);
      taken += take_all(bucket);
    }
    EXPECT_NEAR(taken, 3000, 3) << rate;
  }
}

TEST(TokenBucket, IsExactWhenMoved) {
  // On the real clock nothing comes back within the test: an interval is an hour.
  run([] {
    TokenBucket bucket({.per_second = 1.0 / 3600, .burst = 1000});
    std::atomic<int> taken{0};
    WaitGroup done;
    for (int i = 0; i < 16; ++i) {
      done.go([&] {
        for (int j = 0; j < 200; ++j) {
          if (bucket.take().allowed) ++taken;
        }
      });
    }
    done.wait();
    EXPECT_EQ(taken, 1000);
  });
}

TEST(TokenBucket, RefusesRatesOutOfRange) {
  const auto code = [](double per_second, uint64_t burst) {
    return testing::code_of([&] { const TokenBucket bucket({.per_second = per_second, .burst = burst}); });
  };
  for (const double rate : {0.0, -1.0, 1e-7, 1.1e6, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(code(rate, 1), Code::kInvalidArgument) << rate;
  }
  EXPECT_EQ(code(1, 0), Code::kInvalidArgument);
  EXPECT_EQ(code(1, 1'000'000'000), Code::kInvalidArgument);
  EXPECT_EQ(code(1, std::numeric_limits<uint64_t>::max()), Code::kInvalidArgument);
  EXPECT_EQ(code(1e-6, 900), Code::kOk);
  EXPECT_EQ(code(1e6, 1'000'000'000), Code::kOk);
}

}  // namespace
}  // namespace degu
