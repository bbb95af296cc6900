#include "baseline.h"

#include <degu/base/error.h>
#include <degu/base/random.h>
#include <degu/http/json_codec.h>
#include <gtest/gtest.h>

namespace degu::bench {
namespace {

// Intervals whose rates and latencies vary by a tenth at random.
Report report(double rate, double p50, double p99, uint64_t seed, int intervals = 40) {
  Random random(seed);
  const auto varied = [&](double value) {
    return value * (0.9 + 0.2 * static_cast<double>(random.below(1000)) / 1000);
  };
  Report out;
  out.settings.url = "http://a/";
  out.settings.arrivals = "closed";
  out.rate = rate;
  out.latency = {.count = 1, .p50_ms = p50, .p99_ms = p99};
  out.requests = 10'000;
  for (int i = 0; i < intervals; ++i) {
    out.timeline.push_back(
        {static_cast<double>(i), 1, static_cast<uint64_t>(varied(rate)), 0, varied(p50), varied(p99), p99});
  }
  return out;
}

std::vector<Verdict> verdicts(const Report& before, const Report& after) {
  std::vector<Verdict> out;
  for (const Difference& one : compare_with(before, after)) out.push_back(one.verdict);
  return out;
}

TEST(Baseline, SeesNoDifferenceBetweenEquals) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    EXPECT_EQ(verdicts(report(1000, 1, 5, seed), report(1000, 1, 5, seed + 1000)),
              (std::vector<Verdict>(4, Verdict::kNoise)))
        << seed;
  }
}

TEST(Baseline, SeesDifferencesBeyondTheNoise) {
  Report after = report(1100, 1, 6, 2);
  after.errors = 100;
  EXPECT_EQ(verdicts(report(1000, 1, 5, 1), after),
            (std::vector<Verdict>{Verdict::kReal, Verdict::kNoise, Verdict::kReal, Verdict::kReal}));
  Report few = report(1000, 1, 5, 1);
  few.errors = 2;
  EXPECT_EQ(verdicts(report(1000, 1, 5, 1), few)[3], Verdict::kNoise);
}

TEST(Baseline, DoesNotJudgeShortRuns) {
  EXPECT_EQ(verdicts(report(1000, 1, 5, 1), report(2000, 1, 5, 1, 5))[0], Verdict::kUnknown);
  EXPECT_EQ(verdicts(Report(), Report()), std::vector<Verdict>(4, Verdict::kUnknown));
}

TEST(Baseline, PrintsChangesAndUnlikeRuns) {
  const Report before = report(1000, 1, 5, 1);
  Report after = report(1500, 1, 5, 2);
  const std::string text = to_text(compare_with(before, after), before, after);
  EXPECT_NE(text.find("+50.0 %  probably real"), std::string::npos) << text;
  EXPECT_EQ(text.find("different"), std::string::npos) << text;
  for (const auto change : {+[](ReportSettings& one) { one.protocol = "HTTP/2"; },
                            +[](ReportSettings& one) { one.streams = 7; }}) {
    Report other = after;
    change(other.settings);
    EXPECT_NE(to_text({}, before, other).find("different loads"), std::string::npos);
  }
  after.settings.rate = 7;
  after.settings.url = "http://b/";
  const std::string unlike = to_text(compare_with(before, after), before, after);
  EXPECT_NE(unlike.find("different loads"), std::string::npos);
  EXPECT_NE(unlike.find("different requests"), std::string::npos);
}

TEST(Baseline, ReadsWhatWasWritten) {
  Report before = report(1000, 1.25, 5, 1);
  before.latency_uncorrected = before.latency;
  const Report read = parse_report(json::to_string(before));
  EXPECT_EQ(json::to_string(read), json::to_string(before));
  for (const char* text :
       {"", "{}", "[]", "{\"version\":2,\"settings\":{\"url\":\"a\"}}", "{\"version\":1,\"settings\":7}"}) {
    EXPECT_THROW(parse_report(text), Error) << text;
  }
}

}  // namespace
}  // namespace degu::bench
