#include <degu/base/testing/code_of.h>
#include <degu/base/testing/fixed_time.h>
#include <degu/http/api_key.h>
#include <degu/http/basic_auth.h>
#include <degu/http/jwt.h>
#include <degu/http/rate_limit.h>
#include <degu/http/real_ip.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

namespace degu::http {
namespace {

using namespace std::chrono_literals;
using test::call;
using Headers = std::vector<std::pair<std::string, std::string>>;

Router router_with(RateLimitOptions options) {
  Router router;
  router.use(rate_limit(std::move(options)));
  router.get("/", [](Exchange& c) { c.text(200, "x"); });
  router.get("/fails", [](Exchange&) { throw Error(Code::kNotFound, "none"); });
  return router;
}

int from(const Router& router, std::string_view peer, Headers headers = {}) {
  return call(router, "GET", "/", {}, headers, peer).status;
}

// How many requests in a row pass, up to ten.
template <class F>
int passing(F ask) {
  for (int i = 0; i < 10; ++i) {
    if (ask() != 200) return i;
  }
  return 10;
}

TEST(RateLimit, RefusesWith429AndSaysWhen) {
  testing::FixedTime time;
  const Router router = router_with({.per_second = 0.5, .burst = 2});
  EXPECT_EQ(call(router, "GET", "/", {}, {}, "1.2.3.4:1").status, 200);
  EXPECT_EQ(call(router, "GET", "/", {}, {}, "1.2.3.4:2").status, 200);
  time.advance(500ms);
  const Response refused = call(router, "GET", "/", {}, {}, "1.2.3.4:3");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("retry-after"), "2");  // 1.5 s, rounded up
  EXPECT_EQ(refused.header("content-type"), "application/problem+json");
  EXPECT_NE(refused.body.find("RESOURCE_EXHAUSTED"), std::string::npos);
  time.advance(1500ms);
  EXPECT_EQ(from(router, "1.2.3.4:4"), 200);
  EXPECT_EQ(from(router, "1.2.3.4:4"), 429);
}

TEST(RateLimit, TellsHowThingsAre) {
  testing::FixedTime time;
  const Router router = router_with({.per_second = 10, .burst = 25});
  const Response first = call(router, "GET", "/", {}, {}, "1.2.3.4:1");
  EXPECT_EQ(first.header("ratelimit-policy"), R"("default";q=25;w=3)");
  EXPECT_EQ(first.header("ratelimit"), R"("default";r=24;t=1)");
  EXPECT_EQ(first.header("retry-after"), "");
  const Response failed = call(router, "GET", "/fails", {}, {}, "1.2.3.4:1");
  EXPECT_EQ(failed.status, 404);
  EXPECT_EQ(failed.header("ratelimit"), R"("default";r=23;t=1)");
  for (int i = 0; i < 23; ++i) from(router, "1.2.3.4:1");
  const Response refused = call(router, "GET", "/", {}, {}, "1.2.3.4:1");
  EXPECT_EQ(refused.header("ratelimit"), R"("default";r=0;t=3)");
  EXPECT_EQ(refused.header("ratelimit-policy"), R"("default";q=25;w=3)");
  EXPECT_EQ(refused.header("retry-after"), "1");
  const Router quick = router_with({.per_second = 1000, .burst = 1, .name = "a \"b\""});
  EXPECT_EQ(call(quick, "GET", "/").header("ratelimit-policy"), R"("a \"b\"";q=1;w=1)");
}

TEST(RateLimit, CountsClientsApart) {
  const testing::FixedTime time;
  const Router router = router_with({.per_second = 1, .burst = 2});
  EXPECT_EQ(passing([&] { return from(router, "1.2.3.4:1"); }), 2);
  EXPECT_EQ(passing([&] { return from(router, "1.2.3.5:1"); }), 2);
  EXPECT_EQ(passing([&] { return from(router, "[::ffff:1.2.3.4]:1"); }), 0);
  EXPECT_EQ(passing([&] { return from(router, "1.2.3.4:9"); }), 0);
  // All addresses of a subscriber are one client.
  int i = 0;
  EXPECT_EQ(passing([&] { return from(router, "[2001:db8:1:2::" + std::to_string(++i) + "]:1"); }), 2);
  EXPECT_EQ(passing([&] { return from(router, "[2001:db8:1:3::1]:1"); }), 2);
}

TEST(RateLimit, SeesClientsBehindProxies) {
  const testing::FixedTime time;
  Router router;
  router.use(real_ip({.trusted = {"10.0.0.0/8"}}));
  router.use(rate_limit({.per_second = 1, .burst = 2}));
  router.get("/", [](Exchange& c) { c.text(200, "x"); });
  const auto ask = [&](const char* client) {
    return from(router, "10.0.0.1:1", {{"X-Forwarded-For", client}});
  };
  EXPECT_EQ(passing([&] { return ask("1.2.3.4"); }), 2);
  EXPECT_EQ(passing([&] { return ask("1.2.3.5"); }), 2);
  EXPECT_EQ(passing([&] { return ask("9.9.9.9, 1.2.3.4"); }), 0);
}

TEST(RateLimit, CountsByHeader) {
  const testing::FixedTime time;
  const Router router = router_with({.per_second = 1, .burst = 2, .key = by_header("X-Tenant")});
  EXPECT_EQ(passing([&] { return from(router, "1.2.3.4:1", {{"X-Tenant", "a"}}); }), 2);
  EXPECT_EQ(passing([&] { return from(router, "1.2.3.4:1", {{"x-tenant", "b"}}); }), 2);
  EXPECT_EQ(passing([&] { return from(router, "1.2.3.4:1"); }), 2);
  EXPECT_EQ(passing([&] { return from(router, "9.9.9.9:1"); }), 0);
}

TEST(RateLimit, CountsByWhoLoggedIn) {
  const testing::FixedTime time;
  const JwtKey key = JwtKey::hmac(JwtAlgorithm::kHs256, std::string(32, 's'));
  const auto router_behind = [](Handler login, RateKey by) {
    Router router;
    router.use(std::move(login));
    router.use(rate_limit({.per_second = 1, .burst = 2, .key = std::move(by)}));
    router.get("/", [](Exchange& c) { c.text(200, "x"); });
    return router;
  };
  const auto count = [](const Router& router, const char* field, const std::string& value) {
    return passing([&] { return from(router, "1.2.3.4:1", {{field, value}}); });
  };
  const Router keys = router_behind(
      api_key({.keys = {{"a", api_key_digest("1")}, {"a", api_key_digest("2")}, {"b", api_key_digest("3")}}}),
      by_api_key_owner());
  EXPECT_EQ(count(keys, "X-Api-Key", "1"), 2);
  EXPECT_EQ(count(keys, "X-Api-Key", "2"), 0);
  EXPECT_EQ(count(keys, "X-Api-Key", "3"), 2);
  const Router users = router_behind(basic_auth({.users = {{"a", "b"}, {"c", "d"}}}), by_basic_user());
  EXPECT_EQ(count(users, "Authorization", "Basic YTpi"), 2);
  EXPECT_EQ(count(users, "Authorization", "Basic Yzpk"), 2);
  const Router bearers = router_behind(jwt({.keys = {key},
                                            .issuers = {"i", "is"},
                                            .require_audience = false,
                                            .require_expiry = false,
                                            .require_not_before = false}),
                                       by_jwt_subject());
  const auto bearer = [&](std::string issuer, std::string subject) {
    return "Bearer " + sign_jwt(key, JwtClaims{.issuer = std::move(issuer), .subject = std::move(subject)});
  };
  EXPECT_EQ(count(bearers, "Authorization", bearer("i", "sx")), 2);
  EXPECT_EQ(count(bearers, "Authorization", bearer("is", "x")), 2);
  EXPECT_EQ(count(bearers, "Authorization", bearer("i", "sx")), 0);
}

TEST(RateLimit, SharesOneBucketWhereNobodyLoggedIn) {
  const testing::FixedTime time;
  for (RateKey (*by)() : {&by_api_key_owner, &by_basic_user, &by_jwt_subject}) {
    const Router router = router_with({.per_second = 1, .burst = 2, .key = by()});
    int i = 0;
    EXPECT_EQ(passing([&] { return from(router, "1.2.3." + std::to_string(++i) + ":1"); }), 2);
  }
}

TEST(RateLimit, ShowsAllPolicies) {
  const testing::FixedTime time;
  Router router;
  router.use(rate_limit({.per_second = 1, .burst = 2, .name = "burst"}));
  router.use(rate_limit({.per_second = 0.01, .burst = 100, .name = "daily"}));
  router.get("/", [](Exchange& c) { c.text(200, "x"); });
  std::string policies;
  for (const auto& [name, value] : call(router, "GET", "/").headers) {
    if (name == "RateLimit-Policy") policies += value + " ";
  }
  EXPECT_EQ(policies, R"("burst";q=2;w=2 "daily";q=100;w=10000 )");
}

TEST(RateLimit, RefusesBadOptions) {
  const auto refused = [](RateLimitOptions options) {
    return testing::code_of([&] { rate_limit(std::move(options)); }) == Code::kInvalidArgument;
  };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({.per_second = -1}));
  EXPECT_TRUE(refused({.per_second = std::numeric_limits<double>::quiet_NaN()}));
  EXPECT_TRUE(refused({.per_second = 1, .burst = 0}));
  EXPECT_TRUE(refused({.per_second = 1, .max_keys = 0}));
  EXPECT_TRUE(refused({.per_second = 1, .name = ""}));
  EXPECT_TRUE(refused({.per_second = 1, .name = "a\nb"}));
  EXPECT_TRUE(refused({.per_second = 1, .name = "\xC3\xA4"}));
  EXPECT_FALSE(refused({.per_second = 1}));
  EXPECT_EQ(testing::code_of([] { by_header("X Y"); }), Code::kInvalidArgument);
}

}  // namespace
}  // namespace degu::http
