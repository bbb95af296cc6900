#include <degu/base/testing/code_of.h>
#include <degu/http/basic_auth.h>
#include <degu/http/internal/base64.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {
namespace {

using test::call;
using Headers = std::vector<std::pair<std::string, std::string>>;

Router router_with(BasicAuthOptions options) {
  Router router;
  router.use(basic_auth(std::move(options)));
  router.get("/", [](Exchange& c) { c.text(200, c.get<BasicUser>()->name); });
  return router;
}

Router two_users() {
  return router_with({.users = {{"ada", "lovelace"}, {"J\xC3\xB6rg", "p:a:s"}, {"empty", ""}}});
}

std::string base64(std::string_view text) {
  std::string encoded = internal::to_base64url(text);
  for (char& c : encoded) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (encoded.size() % 4 != 0) encoded += '=';
  return encoded;
}

Response with_field(const Router& router, std::string value) {
  return call(router, "GET", "/", {}, {{"Authorization", std::move(value)}});
}

Response as(const Router& router, std::string_view credentials) {
  return with_field(router, "Basic " + base64(credentials));
}

TEST(BasicAuth, LetsKnownUsersIn) {
  const Router router = two_users();
  EXPECT_EQ(as(router, "ada:lovelace").body, "ada");
  EXPECT_EQ(as(router, "J\xC3\xB6rg:p:a:s").body, "J\xC3\xB6rg");
  EXPECT_EQ(as(router, "empty:").body, "empty");
  EXPECT_EQ(with_field(router, "bAsIc   " + base64("ada:lovelace")).body, "ada");
  // The example of RFC 7617 section 2.
  const Router aladdin = router_with({.users = {{"Aladdin", "open sesame"}}});
  EXPECT_EQ(with_field(aladdin, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").body, "Aladdin");
}

TEST(BasicAuth, ChallengesOthers) {
  const Router router = two_users();
  for (const char* credentials :
       {"ada:lovelac", "ada:lovelacE", "ada:lovelace ", "ada:", "ad:lovelace", "ada", ":", "", "ada:p:a:s",
        "empty:lovelace", "Ada:lovelace", "ada:lovelace\n"}) {
    const Response response = as(router, credentials);
    EXPECT_EQ(response.status, 401) << credentials;
    EXPECT_EQ(response.header("www-authenticate"), "Basic realm=\"restricted\", charset=\"UTF-8\"");
    EXPECT_EQ(response.header("content-type"), "application/problem+json");
  }
  const Response none = call(router, "GET", "/");
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.header("www-authenticate"), "Basic realm=\"restricted\", charset=\"UTF-8\"");
}

TEST(BasicAuth, RefusesMalformedCredentials) {
  bool asked = false;
  const Router router =
      router_with({.verify = [&](std::string_view, std::string_view) { return asked = true; }});
  for (const std::string& value :
       {std::string("Basic"), std::string("Basic "), std::string("Basic !!!!"), std::string("Basic YTpi="),
        std::string("Basic YTpi YTpi"), std::string("Basic YTp"), "Bearer " + base64("a:b"),
        "Basic" + base64("a:b"), "Basic " + base64("no colon"),
        "Basic " + base64(std::string_view("a\0:b", 4)), "Basic " + base64("a:\xFF"),
        "Basic " + base64("a:b\r\n"), "Basic " + base64("a:" + std::string(4096, 'x'))}) {
    EXPECT_EQ(with_field(router, value).status, 401) << value;
  }
  const std::string good = "Basic " + base64("a:b");
  EXPECT_EQ(call(router, "GET", "/", {}, {{"Authorization", good}, {"Authorization", good}}).status, 400);
  EXPECT_FALSE(asked);
  EXPECT_EQ(as(router, "a:" + std::string(4000, 'x')).status, 200);
}

TEST(BasicAuth, AsksAFunction) {
  const Router router = router_with({.verify = [](std::string_view name, std::string_view password) {
    return name == "a" && password == "b:c";
  }});
  EXPECT_EQ(as(router, "a:b:c").body, "a");
  EXPECT_EQ(as(router, "a:b").status, 401);
  const Router failing = router_with({.verify = [](std::string_view, std::string_view) -> bool {
    throw Error(Code::kUnavailable, "no database");
  }});
  EXPECT_EQ(as(failing, "a:b").status, 503);
}

TEST(BasicAuth, EscapesTheRealm) {
  const Router router = router_with({.realm = R"(a "b" \c)", .users = {{"a", "b"}}});
  EXPECT_EQ(call(router, "GET", "/").header("www-authenticate"),
            R"(Basic realm="a \"b\" \\c", charset="UTF-8")");
}

TEST(BasicAuth, RefusesBadOptions) {
  const auto refused = [](BasicAuthOptions options) {
    return testing::code_of([&] { basic_auth(std::move(options)); }) == Code::kInvalidArgument;
  };
  const auto anyone = [](std::string_view, std::string_view) { return true; };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({.users = {{"a", "b"}}, .verify = anyone}));
  EXPECT_TRUE(refused({.users = {{"", "b"}}}));
  EXPECT_TRUE(refused({.users = {{"a:b", "c"}}}));
  EXPECT_TRUE(refused({.users = {{"a\n", "b"}}}));
  EXPECT_TRUE(refused({.users = {{"a", "b\x7F"}}}));
  EXPECT_TRUE(refused({.users = {{"a", "\xFF"}}}));
  EXPECT_TRUE(refused({.realm = "a\r\nb", .verify = anyone}));
  EXPECT_FALSE(refused({.realm = "", .verify = anyone}));
}

}  // namespace
}  // namespace degu::http
