#include <degu/base/testing/code_of.h>
#include <degu/http/real_ip.h>
#include <degu/http/router.h>
#include <degu/http/secure_headers.h>
#include <degu/http/test_call.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace degu::http {
namespace {

using test::call;

Router router_with(SecureHeadersOptions options) {
  Router router;
  router.use(real_ip({.trusted = {"10.0.0.0/8"}}));
  router.use(secure_headers(std::move(options)));
  router.get("/", [](Exchange& c) { c.text(200, "x"); });
  router.get("/own", [](Exchange& c) {
    c.set_header("content-security-policy", "default-src 'none'");
    c.set_header("X-Frame-Options", "SAMEORIGIN");
    c.text(200, "x");
  });
  router.get("/fails", [](Exchange&) { throw Error(Code::kNotFound, "none"); });
  return router;
}

Response ask(const Router& router, std::string_view path = "/") { return call(router, "GET", path); }

std::string hsts(SecureHeadersOptions options, const char* proto, std::string_view peer = "10.0.0.1:1") {
  const Router router = router_with(std::move(options));
  return std::string(
      call(router, "GET", "/", {}, {{"X-Forwarded-For", "1.2.3.4"}, {"X-Forwarded-Proto", proto}}, peer)
          .header("strict-transport-security"));
}

TEST(SecureHeaders, AreStrictByDefault) {
  const Router router = router_with({});
  for (const char* path : {"/", "/fails", "/none"}) {
    const Response response = ask(router, path);
    EXPECT_EQ(response.header("x-content-type-options"), "nosniff");
    EXPECT_EQ(
        response.header("content-security-policy"),
        "default-src 'self'; base-uri 'self'; form-action 'self'; object-src 'none'; frame-ancestors 'none'");
    EXPECT_EQ(response.header("x-frame-options"), "DENY");
    EXPECT_EQ(response.header("referrer-policy"), "strict-origin-when-cross-origin");
    EXPECT_EQ(response.header("cross-origin-opener-policy"), "same-origin");
    EXPECT_EQ(response.header("cross-origin-resource-policy"), "same-origin");
    EXPECT_EQ(response.header("permissions-policy"),
              "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
    EXPECT_EQ(response.header("strict-transport-security"), "");
  }
}

TEST(SecureHeaders, AreReplacedByHandlers) {
  const Router router = router_with({});
  const Response response = ask(router, "/own");
  EXPECT_EQ(response.header("content-security-policy"), "default-src 'none'");
  EXPECT_EQ(response.header("x-frame-options"), "SAMEORIGIN");
  std::size_t policies = 0;
  for (const auto& [name, value] : response.headers) policies += name == "content-security-policy" ? 1 : 0;
  EXPECT_EQ(policies, 1U);
  EXPECT_EQ(response.header("referrer-policy"), "strict-origin-when-cross-origin");
}

TEST(SecureHeaders, LeaveEmptyOnesOut) {
  const Router router = router_with({.no_sniff = false,
                                     .content_security_policy = "",
                                     .frame_ancestors = "",
                                     .referrer_policy = "",
                                     .cross_origin_opener_policy = "",
                                     .cross_origin_resource_policy = "",
                                     .permissions_policy = ""});
  EXPECT_EQ(ask(router).headers.size(), 1U);  // Content-Type
}

TEST(SecureHeaders, SayWhoMayFrameInBothWays) {
  const auto both = [](std::string policy, std::string ancestors) {
    const Router router = router_with({.content_security_policy = policy, .frame_ancestors = ancestors});
    const Response response = ask(router);
    return std::string(response.header("content-security-policy")) + " | " +
           std::string(response.header("x-frame-options"));
  };
  EXPECT_EQ(both("", "'self'"), "frame-ancestors 'self' | SAMEORIGIN");
  EXPECT_EQ(both("default-src 'self';", "'none'"), "default-src 'self'; frame-ancestors 'none' | DENY");
  EXPECT_EQ(both("default-src 'self'", "https://a.example"),
            "default-src 'self'; frame-ancestors https://a.example | ");
  EXPECT_EQ(both("default-src 'self'", ""), "default-src 'self' | ");
  EXPECT_EQ(both("a b; Frame-Ancestors 'self'", "'self'"), "a b; Frame-Ancestors 'self' | SAMEORIGIN");
  EXPECT_EQ(both("report-uri /frame-ancestors", "'self'"),
            "report-uri /frame-ancestors; frame-ancestors 'self' | SAMEORIGIN");
}

TEST(SecureHeaders, PromiseTlsOnlyOverTls) {
  EXPECT_EQ(hsts({}, "https"), "max-age=31536000");
  EXPECT_EQ(hsts({}, "http"), "");
  EXPECT_EQ(hsts({}, "https", "9.9.9.9:1"), "");  // anyone can write the field
  EXPECT_EQ(hsts({.hsts = HstsWhen::kNever}, "https"), "");
  EXPECT_EQ(hsts({.hsts = HstsWhen::kAlways}, "http"), "max-age=31536000");
  EXPECT_EQ(hsts({.hsts_max_age = std::chrono::seconds(0)}, "https"), "max-age=0");
  EXPECT_EQ(hsts({.hsts_include_subdomains = true}, "https"), "max-age=31536000; includeSubDomains");
  EXPECT_EQ(hsts({.hsts_include_subdomains = true, .hsts_preload = true}, "https"),
            "max-age=31536000; includeSubDomains; preload");
}

TEST(SecureHeaders, RefuseBadOptions) {
  const auto refused = [](SecureHeadersOptions options) {
    return testing::code_of([&] { secure_headers(std::move(options)); }) == Code::kInvalidArgument;
  };
  EXPECT_FALSE(refused({}));
  EXPECT_TRUE(refused({.content_security_policy = "a\r\nSet-Cookie: b"}));
  EXPECT_TRUE(refused({.frame_ancestors = "'self'\n"}));
  EXPECT_TRUE(refused({.permissions_policy = std::string("a\0b", 3)}));
  EXPECT_TRUE(refused({.hsts_max_age = std::chrono::seconds(-1)}));
  EXPECT_TRUE(refused({.hsts_preload = true}));
  EXPECT_TRUE(refused(
      {.hsts_max_age = std::chrono::hours(1), .hsts_include_subdomains = true, .hsts_preload = true}));
}

}  // namespace
}  // namespace degu::http
