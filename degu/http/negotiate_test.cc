#include <degu/http/negotiate.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {
namespace {

std::string prefer(std::string_view accept) {
  return std::string(preferred_type(accept, {"application/json", "text/html; charset=utf-8", "text/plain"})
                         .value_or("none"));
}

constexpr const char* kJson = "application/json";
constexpr const char* kHtml = "text/html; charset=utf-8";

TEST(Negotiate, PrefersByQuality) {
  EXPECT_EQ(prefer("text/html"), kHtml);
  EXPECT_EQ(prefer("text/html;q=0.5, application/json;q=0.4"), kHtml);
  EXPECT_EQ(prefer("text/html;q=0.5, application/json;q=0.501"), kJson);
  EXPECT_EQ(prefer("text/html, application/json"), kJson);
  EXPECT_EQ(prefer("TEXT/HTML ; Q=1.000"), kHtml);
  EXPECT_EQ(prefer("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), kHtml);
}

TEST(Negotiate, TheMostSpecificRangeCounts) {
  EXPECT_EQ(prefer("*/*"), kJson);
  EXPECT_EQ(prefer("text/*"), kHtml);
  EXPECT_EQ(prefer("text/*, text/html;q=0.1"), "text/plain");
  EXPECT_EQ(prefer("text/*;q=0.3, */*;q=0.1"), kHtml);
  EXPECT_EQ(prefer("text/html;charset=utf-8;q=0.2, text/html;q=0.9, text/plain;q=0.5"), "text/plain");
  EXPECT_EQ(prefer("text/html;charset=UTF-8"), kHtml);
  EXPECT_EQ(prefer("text/html;level=1"), "none");
  EXPECT_EQ(prefer("*/*, application/json;q=0"), kHtml);
}

TEST(Negotiate, NothingMayBeAcceptable) {
  EXPECT_EQ(prefer("image/png"), "none");
  EXPECT_EQ(prefer("*/*;q=0"), "none");
  EXPECT_EQ(prefer("application/json;q=0.0, text/*;q=0.000"), "none");
  EXPECT_EQ(preferred_type("*/*", {}), std::nullopt);
}

TEST(Negotiate, PassesOverWhatIsMalformed) {
  EXPECT_EQ(prefer(""), kJson);
  EXPECT_EQ(prefer("nonsense"), kJson);
  for (const char* bad :
       {"text/html;q=2", "text/html;q=1.001", "text/html;q=0.1234", "text/html;q=", "text/html;q=.5",
        "text/html;q=-1", "*/html", "text/", "/html", "text/html;q=01", "text/html;a", "text html"}) {
    EXPECT_EQ(prefer(std::string(bad) + ", text/plain"), "text/plain") << bad;
  }
  EXPECT_EQ(prefer(R"(image/png;a="x, text/plain", text/html)"), kHtml);
  EXPECT_EQ(prefer(R"(image/png;a="\", text/plain", text/html)"), kHtml);
  EXPECT_EQ(prefer(R"(text/html, image/png;a="x, text/plain)"), kHtml);
  EXPECT_EQ(prefer(",, ,text/html,"), kHtml);
}

TEST(Negotiate, LooksAtABoundedNumberOfRanges) {
  std::string accept;
  for (int i = 0; i < 64; ++i) accept += "image/x" + std::to_string(i) + ",";
  EXPECT_EQ(prefer(accept + "text/html"), "none");
}

TEST(Negotiate, AnswersWithVaryOr406) {
  Router router;
  router.get("/", [](Exchange& c) { c.text(200, negotiate(c, {"application/json", "text/html"})); });
  const Response response =
      test::call(router, "GET", "/", {}, {{"Accept", "image/png"}, {"accept", "text/html"}});
  EXPECT_EQ(response.body, "text/html");
  EXPECT_EQ(response.header("vary"), "Accept");
  EXPECT_EQ(test::call(router, "GET", "/").body, "application/json");
  const Response refused = test::call(router, "GET", "/", {}, {{"Accept", "image/png"}});
  EXPECT_EQ(refused.status, 406);
  EXPECT_EQ(refused.header("vary"), "Accept");
  EXPECT_THAT(refused.body, ::testing::HasSubstr("application/json, text/html"));
}

}  // namespace
}  // namespace degu::http
