#include "threshold.h"

#include <degu/base/error.h>
#include <gtest/gtest.h>

namespace degu::bench {
namespace {

Report report() {
  Report one;
  one.requests = 2000;
  one.errors = 4;
  one.rate = 998.5;
  one.latency = {.count = 1996,
                 .min_ms = 0.5,
                 .mean_ms = 2,
                 .p50_ms = 1,
                 .p99_ms = 5,
                 .p999_ms = 20,
                 .p9999_ms = 40,
                 .max_ms = 1500};
  return one;
}

bool fails(std::string_view condition) { return Threshold::parse(condition).violated(report()).has_value(); }

TEST(Threshold, ComparesLatencies) {
  EXPECT_TRUE(fails("p99>4.9ms"));
  EXPECT_FALSE(fails("p99>5ms"));
  EXPECT_TRUE(fails("p99>=5ms"));
  EXPECT_TRUE(fails(" p99.9 > 19999us "));
  EXPECT_TRUE(fails("p99.99>39999999ns"));
  EXPECT_FALSE(fails("max>1.5s"));
  EXPECT_TRUE(fails("max>1.49s"));
  EXPECT_TRUE(fails("p50<=1ms"));
  EXPECT_TRUE(fails("min<1ms"));
  EXPECT_FALSE(fails("mean<2ms"));
}

TEST(Threshold, ComparesErrorsAndRates) {
  EXPECT_TRUE(fails("errors>0.1%"));
  EXPECT_FALSE(fails("errors>0.2%"));
  EXPECT_TRUE(fails("errors>=0.2 %"));
  EXPECT_TRUE(fails("errors>0"));
  EXPECT_FALSE(fails("errors>4"));
  EXPECT_TRUE(fails("rps<1000"));
  EXPECT_FALSE(fails("rps<998.5"));
  EXPECT_TRUE(fails("requests<=2000"));
}

TEST(Threshold, SaysWhatWasMeasured) {
  EXPECT_EQ(Threshold::parse("p99>4ms").violated(report()), "p99>4ms: it is 5.00 ms");
  EXPECT_EQ(Threshold::parse("errors>0.1%").violated(report()), "errors>0.1%: it is 0.2 %");
  EXPECT_EQ(Threshold::parse("rps<1000").violated(report()), "rps<1000: it is 998.5");
}

TEST(Threshold, FailsForALatencyThatNobodyMeasured) {
  EXPECT_TRUE(Threshold::parse("p99>5ms").violated(Report()).has_value());
  EXPECT_FALSE(Threshold::parse("errors>0%").violated(Report()).has_value());
}

TEST(Threshold, RefusesWhatItDoesNotUnderstand) {
  for (const char* text :
       {"", "p99", "p99>", "p99>ms", "p99>5", "p99>5m", "p99>5 %", "p98>5ms", "p99=5ms", "p99>>5ms",
        "errors>1ms", "rps<1%", "rps<1e3x", ">5ms", "p99>-5ms", "p99>nanms", "p99>infms", "p99>5ms x"}) {
    EXPECT_THROW(Threshold::parse(text), Error) << text;
  }
}

}  // namespace
}  // namespace degu::bench
