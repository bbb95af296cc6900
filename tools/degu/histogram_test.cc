#include "histogram.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace degu::bench {
namespace {

TEST(Cells, LieSideBySideAndHoldTheirBounds) {
  for (std::size_t i = 0; i + 1 < Cells::kCount; ++i) {
    ASSERT_EQ(Cells::high(i) + 1, Cells::low(i + 1)) << i;
    ASSERT_EQ(Cells::index(Cells::low(i)), i);
    ASSERT_EQ(Cells::index(Cells::high(i)), i);
    ASSERT_LE(static_cast<double>(Cells::high(i) - Cells::low(i)), static_cast<double>(Cells::low(i)) * 0.001)
        << i;
  }
  EXPECT_EQ(Cells::index(Cells::kMax), Cells::kCount - 1);
  EXPECT_EQ(Cells::index(UINT64_MAX), Cells::kCount - 1);
}

TEST(Histogram, KnowsNothingOfNothing) {
  const Histogram none;
  EXPECT_EQ(none.count(), 0u);
  EXPECT_EQ(none.percentile(99), 0ns);
  EXPECT_EQ(none.min(), 0ns);
  EXPECT_EQ(none.max(), 0ns);
  EXPECT_EQ(none.mean(), 0);
  EXPECT_EQ(none.stdev(), 0);
}

TEST(Histogram, GivesExactRanksOfSmallValues) {
  Histogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.record(nanoseconds(i));
  EXPECT_EQ(histogram.percentile(0), 1ns);
  EXPECT_EQ(histogram.percentile(50), 500ns);
  EXPECT_EQ(histogram.percentile(99), 990ns);
  EXPECT_EQ(histogram.percentile(99.9), 999ns);
  EXPECT_EQ(histogram.percentile(99.91), 1000ns);
  EXPECT_EQ(histogram.max(), 1000ns);
  EXPECT_DOUBLE_EQ(histogram.mean(), 500.5);
  EXPECT_NEAR(histogram.stdev(), std::sqrt((1000.0 * 1000 - 1) / 12), 1e-9);
}

TEST(Histogram, IsAThousandthExactForAUniformDistribution) {
  Histogram histogram;
  for (int64_t i = 1; i <= 100'000; ++i) histogram.record(nanoseconds(i * 10'000));  // up to 1 s
  for (const double percent : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9}) {
    EXPECT_NEAR(static_cast<double>(histogram.percentile(percent).count()), percent * 1e7, percent * 1e4)
        << percent;
  }
  EXPECT_NEAR(histogram.mean(), 5e8, 5e5);
  EXPECT_NEAR(histogram.stdev(), 1e9 / std::sqrt(12), 5e5);
}

TEST(Histogram, FollowsAnExponentialDistribution) {
  Histogram histogram;
  constexpr int kValues = 100'000;
  for (int i = 0; i < kValues; ++i) {
    const double quantile = (i + 0.5) / kValues;
    histogram.record(nanoseconds(static_cast<int64_t>(-std::log(1 - quantile) * 1e6)));
  }
  EXPECT_NEAR(static_cast<double>(histogram.percentile(50).count()), std::log(2.0) * 1e6, 2e3);
  EXPECT_NEAR(static_cast<double>(histogram.percentile(99).count()), std::log(100.0) * 1e6, 1e4);
  EXPECT_NEAR(histogram.mean(), 1e6, 1e3);
  EXPECT_NEAR(histogram.stdev(), 1e6, 1e4);
}

TEST(Histogram, TakesValuesBeyondItsRangeAsTheNearest) {
  Histogram histogram;
  histogram.record(-5ns);
  histogram.record(100h);
  EXPECT_EQ(histogram.min(), 0ns);
  EXPECT_EQ(histogram.max(), nanoseconds(Cells::kMax));
}

TEST(Histogram, AddsAndSubtracts) {
  Histogram first;
  first.record(1ms);
  Histogram both = first;
  both.record(2ms);
  const Histogram second = both.since(first);
  EXPECT_EQ(second.count(), 1u);
  EXPECT_NEAR(static_cast<double>(second.min().count()), 2e6, 2e3);
  Histogram sum = first;
  sum.add(second);
  EXPECT_EQ(sum.count(), 2u);
  EXPECT_EQ(sum.max(), both.max());
}

}  // namespace
}  // namespace degu::bench
