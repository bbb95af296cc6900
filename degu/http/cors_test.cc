#include <degu/base/testing/code_of.h>
#include <degu/http/cors.h>
#include <degu/http/middleware.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace degu::http {
namespace {

using test::call;
using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kShop = "https://shop.example";

Router router_with(CorsOptions options) {
  Router router;
  router.use(cors(std::move(options)));
  router.get("/x", [](Exchange& c) { c.text(200, "x"); });
  router.put("/x", [](Exchange& c) { c.text(200, "put"); });
  router.get("/vary", [](Exchange& c) {
    c.set_header("Vary", "Accept-Encoding");
    c.text(200, "x");
  });
  router.get("/fails", [](Exchange& c) {
    c.set_header("Vary", "Accept");
    throw Error(Code::kNotFound, "none");
  });
  return router;
}

Headers from(std::string origin) { return {{"Origin", std::move(origin)}}; }

Response preflight(const Router& router, std::string origin, std::string method = "PUT",
                   std::string_view path = "/x") {
  return call(router, "OPTIONS", path, {},
              {{"Origin", std::move(origin)}, {"Access-Control-Request-Method", std::move(method)}});
}

std::string all(const Response& response, std::string_view name) {
  std::string text;
  for (const auto& [field, value] : response.headers) {
    if (field == name) text += (text.empty() ? "" : ", ") + value;
  }
  return text;
}

bool has_cors_fields(const Response& response) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [](const auto& field) { return field.first.starts_with("Access-Control-"); });
}

TEST(Cors, LetsAllowedOriginsRead) {
  const Router router =
      router_with({.origins = {kShop, "http://localhost:8080"}, .exposed = {"X-Total", "ETag"}});
  const Response response = call(router, "GET", "/x", {}, from(kShop));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "x");
  EXPECT_EQ(response.header("access-control-allow-origin"), kShop);
  EXPECT_EQ(response.header("access-control-expose-headers"), "X-Total, ETag");
  EXPECT_EQ(response.header("access-control-allow-credentials"), "");
  EXPECT_EQ(all(response, "Vary"), "Origin");
  EXPECT_EQ(
      call(router, "GET", "/x", {}, from("http://localhost:8080")).header("access-control-allow-origin"),
      "http://localhost:8080");
  EXPECT_EQ(call(router, "GET", "/none", {}, from(kShop)).header("access-control-allow-origin"), kShop);
}

TEST(Cors, GivesOthersNoPermission) {
  const Router router = router_with({.origins = {kShop}});
  for (const char* origin : {"https://evil.example", "https://shop.example.evil.example",
                             "http://shop.example", "https://shop.example:444", "https://SHOP.example",
                             "null", "*", "https://shop.example, https://evil.example", ""}) {
    const Response response = call(router, "GET", "/x", {}, from(origin));
    EXPECT_EQ(response.status, 200) << origin;
    EXPECT_FALSE(has_cors_fields(response)) << origin;
    EXPECT_EQ(all(response, "Vary"), "Origin") << origin;
  }
  const Response twice =
      call(router, "GET", "/x", {}, {{"Origin", kShop}, {"Origin", "https://evil.example"}});
  EXPECT_FALSE(has_cors_fields(twice));
  const Response without = call(router, "GET", "/x");
  EXPECT_FALSE(has_cors_fields(without));
  EXPECT_EQ(all(without, "Vary"), "Origin");
}

TEST(Cors, AnswersPreflights) {
  const Router router = router_with({.origins = {kShop},
                                     .methods = {"GET", "PUT"},
                                     .headers = {"Content-Type", "X-Y"},
                                     .exposed = {"ETag"}});
  const Response response = preflight(router, kShop);
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(response.header("access-control-allow-origin"), kShop);
  EXPECT_EQ(response.header("access-control-allow-methods"), "GET, PUT");
  EXPECT_EQ(response.header("access-control-allow-headers"), "Content-Type, X-Y");
  EXPECT_EQ(response.header("access-control-max-age"), "600");
  EXPECT_EQ(response.header("access-control-expose-headers"), "");
  EXPECT_EQ(all(response, "Vary"), "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  // What is not allowed is for the browser to see from the same answer.
  EXPECT_EQ(preflight(router, kShop, "DELETE").header("access-control-allow-methods"), "GET, PUT");
  EXPECT_EQ(preflight(router, kShop, "PUT", "/no/such/route").status, 204);
}

TEST(Cors, NeverGrantsPrivateNetworks) {
  const Router router = router_with({.origins = {kShop}});
  const Response response = call(router, "OPTIONS", "/x", {},
                                 {{"Origin", kShop},
                                  {"Access-Control-Request-Method", "GET"},
                                  {"Access-Control-Request-Private-Network", "true"}});
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.header("access-control-allow-private-network"), "");
}

TEST(Cors, RefusesPreflightsOfOthers) {
  const Router router = router_with({.origins = {kShop}, .headers = {"X-Y"}});
  for (const char* origin : {"https://evil.example", "null", ""}) {
    const Response response = preflight(router, origin);
    EXPECT_EQ(response.status, 403) << origin;
    EXPECT_EQ(response.header("content-type"), "application/problem+json");
    EXPECT_FALSE(has_cors_fields(response)) << origin;
    EXPECT_EQ(all(response, "Vary"), "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  }
}

TEST(Cors, LeavesPlainOptionsAlone) {
  const Router router = router_with({.origins = {kShop}});
  const Response no_method = call(router, "OPTIONS", "/x", {}, from(kShop));
  EXPECT_EQ(no_method.header("allow"), "GET, HEAD, OPTIONS, PUT");
  EXPECT_EQ(no_method.header("access-control-allow-methods"), "");
  const Response no_origin = call(router, "OPTIONS", "/x", {}, {{"Access-Control-Request-Method", "PUT"}});
  EXPECT_EQ(no_origin.header("allow"), "GET, HEAD, OPTIONS, PUT");
}

TEST(Cors, WildcardsNeedNoVary) {
  const Router router = router_with({.origins = {"*"}, .methods = {"*"}, .headers = {"*"}});
  const Response response = call(router, "GET", "/x", {}, from("https://any.example"));
  EXPECT_EQ(response.header("access-control-allow-origin"), "*");
  EXPECT_EQ(all(response, "Vary"), "");
  EXPECT_EQ(call(router, "GET", "/x", {}, from("null")).header("access-control-allow-origin"), "*");
  EXPECT_FALSE(has_cors_fields(call(router, "GET", "/x")));
  const Response before = preflight(router, "https://any.example");
  EXPECT_EQ(before.header("access-control-allow-origin"), "*");
  EXPECT_EQ(before.header("access-control-allow-methods"), "*");
  EXPECT_EQ(before.header("access-control-allow-headers"), "*");
}

TEST(Cors, SendsCredentialsWithTheOriginItself) {
  const Router router = router_with({.origins = {kShop}, .credentials = true});
  const Response response = call(router, "GET", "/x", {}, from(kShop));
  EXPECT_EQ(response.header("access-control-allow-origin"), kShop);
  EXPECT_EQ(response.header("access-control-allow-credentials"), "true");
  EXPECT_EQ(preflight(router, kShop).header("access-control-allow-credentials"), "true");
  EXPECT_FALSE(has_cors_fields(call(router, "GET", "/x", {}, from("https://evil.example"))));
}

TEST(Cors, AsksThePredicateButNotAboutNull) {
  std::vector<std::string> asked;
  const Router router = router_with({.origins = {kShop}, .allow_origin = [&](std::string_view origin) {
                                       asked.emplace_back(origin);
                                       return origin.ends_with(".shop.example");
                                     }});
  EXPECT_EQ(
      call(router, "GET", "/x", {}, from("https://a.shop.example")).header("access-control-allow-origin"),
      "https://a.shop.example");
  EXPECT_FALSE(has_cors_fields(call(router, "GET", "/x", {}, from("https://evil.example"))));
  for (const char* origin : {"null", "", "a.shop.example", "https://a.shop.example/.shop.example"}) {
    EXPECT_FALSE(has_cors_fields(call(router, "GET", "/x", {}, from(origin)))) << origin;
  }
  call(router, "GET", "/x", {}, from(kShop));
  EXPECT_EQ(asked, (std::vector<std::string>{"https://a.shop.example", "https://evil.example"}));
}

TEST(Cors, KeepsVaryAndPermissionWhateverHandlersDo) {
  for (const bool recovered : {false, true}) {
    Router router;
    if (recovered) router.use(recovery());
    router.use(cors({.origins = {kShop}}));
    router.get("/vary", [](Exchange& c) { c.set_header("Vary", "Accept-Encoding"); });
    router.get("/named", [](Exchange& c) { c.set_header("Vary", "accept, ORIGIN"); });
    router.get("/star", [](Exchange& c) { c.set_header("Vary", "*"); });
    router.get("/fails", [](Exchange& c) {
      c.set_header("Vary", "Accept");
      throw Error(Code::kNotFound, "none");
    });
    EXPECT_EQ(all(call(router, "GET", "/vary"), "Vary"), "Accept-Encoding, Origin");
    EXPECT_EQ(all(call(router, "GET", "/named"), "Vary"), "accept, ORIGIN");
    EXPECT_EQ(all(call(router, "GET", "/star"), "Vary"), "*");
    const Response failed = call(router, "GET", "/fails", {}, from(kShop));
    EXPECT_EQ(failed.status, 404);
    EXPECT_EQ(failed.header("access-control-allow-origin"), kShop);
    EXPECT_EQ(all(failed, "Vary"), "Accept, Origin");
  }
}

TEST(Cors, RefusesOptionsThatCannotBeMeant) {
  const auto refused = [](CorsOptions options) {
    return testing::code_of([&] { cors(std::move(options)); }) == Code::kInvalidArgument;
  };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({.origins = {"*"}, .credentials = true}));
  EXPECT_TRUE(refused({.origins = {"*", kShop}}));
  EXPECT_TRUE(refused({.origins = {"*"}, .allow_origin = [](std::string_view) { return true; }}));
  EXPECT_TRUE(refused({.origins = {kShop}, .methods = {"*"}, .credentials = true}));
  EXPECT_TRUE(refused({.origins = {kShop}, .headers = {"*"}, .credentials = true}));
  EXPECT_TRUE(refused({.origins = {kShop}, .exposed = {"*"}, .credentials = true}));
  EXPECT_TRUE(refused({.origins = {kShop}, .methods = {}}));
  EXPECT_TRUE(refused({.origins = {kShop}, .methods = {"GET, PUT"}}));
  EXPECT_TRUE(refused({.origins = {kShop}, .headers = {"X\r\nY"}}));
  EXPECT_TRUE(refused({.origins = {kShop}, .max_age = std::chrono::seconds(-1)}));
  for (const char* origin :
       {"", "null", "shop.example", "https://", "https://shop.example/", "https://shop.example:443",
        "http://shop.example:80", "https://shop.example:0", "https://shop.example:65536",
        "https://shop.example:", "https://shop.example:08", "HTTPS://shop.example", "https://Shop.example",
        "https://u@shop.example", "https://shop.example?x", "https://*.shop.example", "https://[::1",
        "://shop.example", "https:// a"}) {
    EXPECT_TRUE(refused({.origins = {origin}})) << origin;
  }
  for (const char* origin :
       {"https://shop.example:8443", "http://[::1]:8080", "http://[::1]", "http://127.0.0.1",
        "https://xn--bcher-kva.example", "chrome-extension://abcdef", "http://a_b:443"}) {
    EXPECT_FALSE(refused({.origins = {origin}})) << origin;
  }
}

}  // namespace
}  // namespace degu::http
