#include <degu/obs/metric.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace degu {
namespace {

struct Collector : MetricVisitor {
  std::vector<std::string> names;
  void visit(const Counter& counter) override { names.push_back(counter.name()); }
  void visit(const Histogram& histogram) override { names.push_back(histogram.name()); }
};

std::vector<std::string> names() {
  Collector collector;
  visit_metrics(collector);
  return collector.names;
}

TEST(Counter, AddsFromManyThreads) {
  Counter counter("test_total", "help");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) counter.add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  counter.add(5);
  EXPECT_EQ(counter.value(), 40'005U);
}

TEST(Histogram, BucketsCoverEveryValueInOrder) {
  std::size_t last = 0;
  for (uint64_t value = 0; value < 100'000; ++value) {
    const std::size_t bucket = Histogram::bucket_of(value);
    ASSERT_TRUE(bucket == last || bucket == last + 1) << value;
    ASSERT_LE(value, Histogram::upper_bound(bucket));
    if (bucket > 0) {
      ASSERT_GT(value, Histogram::upper_bound(bucket - 1));
    }
    last = bucket;
  }
  EXPECT_LT(Histogram::bucket_of(UINT64_MAX), Histogram::kBuckets);
}

TEST(Histogram, QuantilesAreWithinABucket) {
  Histogram histogram("test_ns", "help");
  EXPECT_EQ(histogram.quantile(0.5), 0U);
  for (uint64_t value = 1; value <= 1000; ++value) histogram.record(value);
  EXPECT_EQ(histogram.count(), 1000U);
  EXPECT_EQ(histogram.sum(), 500'500U);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.5)), 500, 500 * 0.25);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.99)), 990, 990 * 0.25);
  EXPECT_GE(histogram.quantile(1), 1000U);
}

TEST(Metric, IsRegisteredWhileItLives) {
  {
    const Counter counter("short_lived_total", "help");
    const auto all = names();
    EXPECT_NE(std::find(all.begin(), all.end(), "short_lived_total"), all.end());
  }
  const auto all = names();
  EXPECT_EQ(std::find(all.begin(), all.end(), "short_lived_total"), all.end());
}

}  // namespace
}  // namespace degu
