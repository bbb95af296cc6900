#include <degu/rpc/testdata/kitchen.degu.h>
#include <degu/rpc/validation.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>

namespace degu::rpc::testdata {
namespace {

std::map<std::string, std::string> faults(const Rules& rules) {
  json::FieldErrors errors;
  validate(rules, errors);
  std::map<std::string, std::string> out;
  for (const ErrorDetail& detail : errors.details()) {
    EXPECT_TRUE(out.emplace(detail.field, detail.reason).second) << "twice: " << detail.field;
  }
  return out;
}

Rules good() {
  Rules rules;
  rules.name = "abcd";
  rules.quantity = 1;
  rules.ratio = 0.5;
  rules.levels = {0};
  rules.point.emplace();
  rules.note = "";
  rules.blob = "xy";
  return rules;
}

TEST(Validation, GoodPasses) { EXPECT_TRUE(faults(good()).empty()); }

TEST(Validation, ReportsEverythingAtOnce) {
  Rules rules;
  rules.name = "ab";
  rules.code = "A-1";
  rules.quantity = 100;
  rules.ratio = std::numeric_limits<double>::quiet_NaN();
  rules.big = 1001;
  rules.tags = {"ok", "Not", "x"};
  rules.levels = {1, -1};
  rules.maybe = 9;
  rules.points.resize(2);
  rules.points[1].x = 101;
  rules.named["n"].x = -101;
  const auto wrong = faults(rules);
  const std::map<std::string, std::string> expected = {{"name", "must have at least 3 characters"},
                                                       {"code", "must look like AB-1"},
                                                       {"quantity", "must be between 1 and 99"},
                                                       {"ratio", "must be at least 0.5"},
                                                       {"big", "must be at most 1000"},
                                                       {"tags", "must have at most 2 entries"},
                                                       {"tags[1]", "must match [a-z]+"},
                                                       {"levels[1]", "must be at least 0"},
                                                       {"point", "is required"},
                                                       {"maybe", "must be at least 10"},
                                                       {"points[1].x", "must be between -100 and 100"},
                                                       {"named.n.x", "must be between -100 and 100"},
                                                       {"note", "is required"},
                                                       {"blob", "must have at least 2 bytes"}};
  EXPECT_EQ(wrong, expected);
}

TEST(Validation, MissingIsNotTooShortAsWell) {
  Rules rules = good();
  rules.name = "";
  rules.levels.clear();
  const auto wrong = faults(rules);
  EXPECT_EQ(wrong.at("name"), "is required");
  EXPECT_EQ(wrong.at("levels"), "is required");
  EXPECT_EQ(wrong.size(), 2U);
}

TEST(Validation, CountsCharactersNotBytes) {
  Rules rules = good();
  rules.name = "äöüäö";
  EXPECT_TRUE(faults(rules).empty());
  rules.name = "äöüäöü";
  EXPECT_EQ(faults(rules).at("name"), "must have at most 5 characters");
  rules.name = "äö";
  EXPECT_EQ(faults(rules).at("name"), "must have at least 3 characters");
  rules.name = "abc";
  rules.note = "12345";
  EXPECT_EQ(faults(rules).at("note"), "must have at most 4 characters");
}

}  // namespace
}  // namespace degu::rpc::testdata
