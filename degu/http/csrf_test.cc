#include <degu/base/testing/code_of.h>
#include <degu/http/csrf.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {
namespace {

using test::call;
using Headers = std::vector<std::pair<std::string, std::string>>;

Router router_with(CsrfOptions options) {
  Router router;
  router.use(csrf(std::move(options)));
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    router.handle(method, "/x", [](Exchange& c) { c.text(200, "x"); });
    router.handle(method, "/hooks/:name", [](Exchange& c) { c.text(200, "hook"); });
  }
  return router;
}

int ask(const Router& router, std::string_view method, Headers headers, std::string_view path = "/x") {
  headers.emplace_back("Host", "shop.example");
  return call(router, method, path, {}, headers).status;
}

TEST(Csrf, JudgesBySecFetchSite) {
  const Router router = router_with({});
  const auto post = [&](const char* site) { return ask(router, "POST", {{"Sec-Fetch-Site", site}}); };
  EXPECT_EQ(post("same-origin"), 200);
  EXPECT_EQ(post("none"), 200);
  EXPECT_EQ(post("same-site"), 403);
  EXPECT_EQ(post("cross-site"), 403);
  EXPECT_EQ(post("Same-Origin"), 403);
  EXPECT_EQ(post("same-origin, none"), 403);
  EXPECT_EQ(post("anything"), 403);
  // It outranks Origin: a browser that sends it knows better than Host does.
  EXPECT_EQ(ask(router, "POST", {{"Sec-Fetch-Site", "same-origin"}, {"Origin", "https://evil.example"}}),
            200);
  EXPECT_EQ(ask(router, "POST", {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://shop.example"}}), 403);
}

TEST(Csrf, JudgesByOriginWithoutIt) {
  const Router router = router_with({});
  const auto post = [&](const char* origin) { return ask(router, "POST", {{"Origin", origin}}); };
  EXPECT_EQ(post("https://shop.example"), 200);
  EXPECT_EQ(post("http://shop.example"), 200);
  EXPECT_EQ(post("https://SHOP.example"), 200);
  for (const char* origin :
       {"https://evil.example", "null", "https://shop.example:8443", "https://shop.example.evil.example",
        "https://evil.example/shop.example", "https://evil.example?shop.example", "https://u@shop.example",
        "https://shop.example/", "shop.example", "://shop.example", "https://"}) {
    EXPECT_EQ(post(origin), 403) << origin;
  }
  EXPECT_EQ(ask(router, "POST", {{"Sec-Fetch-Site", ""}, {"Origin", "https://evil.example"}}), 403);
}

TEST(Csrf, LetsOtherClientsAndSafeMethodsPass) {
  const Router router = router_with({});
  EXPECT_EQ(ask(router, "POST", {}), 200);
  const Headers evil = {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}};
  EXPECT_EQ(ask(router, "GET", evil), 200);
  EXPECT_EQ(ask(router, "HEAD", evil), 200);
  EXPECT_EQ(ask(router, "OPTIONS", evil), 204);
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"})
    EXPECT_EQ(ask(router, method, evil), 403) << method;
}

TEST(Csrf, BelievesNoRepeatedField) {
  const Router router = router_with({.trusted_origins = {"https://admin.example"}});
  EXPECT_EQ(ask(router, "POST", {{"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "cross-site"}}), 403);
  EXPECT_EQ(ask(router, "POST", {{"Origin", "https://shop.example"}, {"Origin", "https://evil.example"}}),
            403);
  EXPECT_EQ(ask(router, "POST", {{"Origin", "https://admin.example"}, {"Origin", "https://evil.example"}}),
            403);
}

TEST(Csrf, TrustsWhomItIsTold) {
  const Router router = router_with({.trusted_origins = {"https://admin.example", "http://localhost:8080"}});
  EXPECT_EQ(ask(router, "POST", {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://admin.example"}}),
            200);
  EXPECT_EQ(ask(router, "POST", {{"Origin", "http://localhost:8080"}}), 200);
  EXPECT_EQ(ask(router, "POST", {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://admin.example"}}), 403);
  EXPECT_EQ(ask(router, "POST", {{"Sec-Fetch-Site", "cross-site"}}), 403);
}

TEST(Csrf, BypassesRoutesNotPaths) {
  const Headers evil = {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}};
  const Router router = router_with({.bypass = {"POST /hooks/:name"}});
  EXPECT_EQ(ask(router, "POST", evil, "/hooks/github"), 200);
  EXPECT_EQ(ask(router, "PUT", evil, "/hooks/github"), 403);
  EXPECT_EQ(ask(router, "POST", evil), 403);
  EXPECT_EQ(ask(router, "POST", evil, "/hooks/a/b"), 403);
  EXPECT_EQ(ask(router, "POST", evil, "/hooks/%2e%2e"), 403);
  const Router every_method = router_with({.bypass = {"/hooks/:name"}});
  EXPECT_EQ(ask(every_method, "DELETE", evil, "/hooks/a"), 200);
  EXPECT_EQ(ask(every_method, "DELETE", evil), 403);
}

TEST(Csrf, AnswersWithAProblem) {
  const Response response = call(router_with({}), "POST", "/x", {}, {{"Sec-Fetch-Site", "cross-site"}});
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.header("content-type"), "application/problem+json");
  EXPECT_NE(response.body.find("PERMISSION_DENIED"), std::string::npos);
}

TEST(Csrf, RefusesBadOptions) {
  const auto refused = [](CsrfOptions options) {
    return testing::code_of([&] { csrf(std::move(options)); }) == Code::kInvalidArgument;
  };
  for (const char* origin :
       {"null", "*", "admin.example", "https://admin.example/", "https://admin.example:443"}) {
    EXPECT_TRUE(refused({.trusted_origins = {origin}})) << origin;
  }
  for (const char* bypass : {"", "hooks", "POST", "POST hooks", "PO ST /x", "/a b", " /x"}) {
    EXPECT_TRUE(refused({.bypass = {bypass}})) << bypass;
  }
  EXPECT_FALSE(refused({.trusted_origins = {"https://admin.example"}, .bypass = {"/x", "POST /y"}}));
}

}  // namespace
}  // namespace degu::http
