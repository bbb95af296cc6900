#include "arrivals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

using namespace std::chrono_literals;

namespace degu::bench {
namespace {

std::vector<double> gaps(const ArrivalOptions& options) {
  const TimePoint begin;
  Arrivals arrivals(options, begin);
  std::vector<double> out;
  TimePoint last = begin;
  while (const auto start = arrivals.next()) {
    out.push_back(std::chrono::duration<double>(*start - last).count());
    last = *start;
  }
  return out;
}

TEST(Arrivals, AreEquallyFarApartWithoutDrift) {
  Arrivals arrivals({.rate = 3, .limit = 3'000'001}, TimePoint{});
  TimePoint last;
  while (const auto start = arrivals.next()) last = *start;
  EXPECT_NEAR(std::chrono::duration<double>(last - TimePoint{}).count(), 1e6, 1e-6);
}

TEST(Arrivals, AreExponentialWhenPoisson) {
  const std::vector<double> all = gaps({.rate = 50, .poisson = true, .limit = 100'001, .seed = 7});
  ASSERT_EQ(all.size(), 100'001u);
  double sum = 0;
  double squares = 0;
  double longer_than_mean = 0;
  for (std::size_t i = 1; i < all.size(); ++i) {
    sum += all[i];
    squares += all[i] * all[i];
    longer_than_mean += all[i] > 0.02;
  }
  const double mean = sum / 1e5;
  EXPECT_NEAR(mean, 0.02, 0.0003);
  EXPECT_NEAR(std::sqrt(squares / 1e5 - mean * mean), 0.02, 0.0005);  // as large as the mean
  EXPECT_NEAR(longer_than_mean / 1e5, std::exp(-1), 0.005);
  EXPECT_EQ(all, gaps({.rate = 50, .poisson = true, .limit = 100'001, .seed = 7}));
  EXPECT_NE(all, gaps({.rate = 50, .poisson = true, .limit = 100'001, .seed = 8}));
}

TEST(Arrivals, EndByTimeAndByNumber) {
  EXPECT_EQ(gaps({.rate = 100, .end = TimePoint{} + 1s}).size(), 100u);
  EXPECT_EQ(gaps({.rate = 100, .limit = 7, .end = TimePoint{} + 1s}).size(), 7u);
  EXPECT_EQ(gaps({.limit = 5}).size(), 5u);
  EXPECT_EQ(gaps({.end = TimePoint{}}).size(), 0u);
}

TEST(Arrivals, KnowWhatNobodyStarted) {
  Arrivals arrivals({.rate = 100, .end = TimePoint{} + 1s}, TimePoint{});
  for (int i = 0; i < 30; ++i) arrivals.next();
  EXPECT_EQ(arrivals.overdue(TimePoint{} + 500ms), 20u);
  EXPECT_EQ(arrivals.overdue(TimePoint{} + 500ms), 0u);
  EXPECT_EQ(arrivals.overdue(kNever), 50u);
  EXPECT_EQ(Arrivals({}, TimePoint{}).overdue(kNever), 0u);
}

}  // namespace
}  // namespace degu::bench
