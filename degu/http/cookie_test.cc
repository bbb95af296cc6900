#include <degu/http/cookie.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {
namespace {

using std::chrono::seconds;

std::string faults_of(const Cookie& cookie) {
  try {
    return "none: " + to_string(cookie);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInternal);
    return error.message();
  }
}

TEST(Cookie, IsSafeByDefault) {
  EXPECT_EQ(to_string({.name = "sid", .value = "abc"}), "sid=abc; Path=/; Secure; HttpOnly; SameSite=Lax");
}

TEST(Cookie, WritesEveryAttribute) {
  const Cookie cookie{.name = "a",
                      .value = "",
                      .path = "/x y",
                      .domain = "shop.example",
                      .max_age = seconds(-1),
                      .expires = std::chrono::system_clock::time_point(seconds(784111777)),
                      .http_only = false,
                      .same_site = SameSite::kNone,
                      .partitioned = true};
  EXPECT_EQ(to_string(cookie),
            "a=; Path=/x y; Domain=shop.example; Max-Age=-1; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Secure; "
            "SameSite=None; Partitioned");
  EXPECT_EQ(to_string({.name = "a", .path = "", .secure = false, .same_site = SameSite::kStrict}),
            "a=; HttpOnly; SameSite=Strict");
}

TEST(Cookie, RefusesWhatBrowsersWouldMisread) {
  using ::testing::HasSubstr;
  for (const std::string name : {"", "a b", "a=b", "a;b", "a\r\nX: y", "\xC3\xA4"}) {
    EXPECT_THAT(faults_of({.name = name, .value = "v"}), HasSubstr("must be a token")) << name;
  }
  for (const std::string value : {"a b", "a;b", "a,b", "a\"b", "a\\b", "a\r\nb", "\x7f", "\xC3\xA4", "\t"}) {
    EXPECT_THAT(faults_of({.name = "n", .value = value}), HasSubstr("must be encoded")) << value;
  }
  EXPECT_THAT(faults_of({.name = "n", .value = std::string(1, '\0')}), HasSubstr("must be encoded"));
  for (const std::string path : {"x", "/a;b", "/a\r\nb", "/\xC3\xA4"}) {
    EXPECT_THAT(faults_of({.name = "n", .path = path}), HasSubstr("path")) << path;
  }
  for (const std::string domain : {".a.b", "a..b", "a.", "-a", "a-", "a b", "a;b", "a:80", "\xC3\xA4.de"}) {
    EXPECT_THAT(faults_of({.name = "n", .domain = domain}), HasSubstr("domain")) << domain;
  }
  EXPECT_THAT(faults_of({.name = "n", .domain = std::string(64, 'a') + ".de"}), HasSubstr("domain"));
  EXPECT_THAT(faults_of({.name = "n", .value = std::string(4095, 'v')}), HasSubstr("none: "));
  EXPECT_THAT(faults_of({.name = "n", .value = std::string(4096, 'v')}), HasSubstr("4096"));
}

TEST(Cookie, DoesNotTellValues) {
  EXPECT_THAT(faults_of({.name = "n", .value = "hunter2 "}), ::testing::Not(::testing::HasSubstr("hunter2")));
}

TEST(Cookie, HoldsThePrefixesToTheirPromise) {
  using ::testing::HasSubstr;
  EXPECT_THAT(faults_of({.name = "__Host-a"}), HasSubstr("none: "));
  EXPECT_THAT(faults_of({.name = "__Host-a", .secure = false}), HasSubstr("__Host-"));
  EXPECT_THAT(faults_of({.name = "__Host-a", .path = "/x"}), HasSubstr("__Host-"));
  EXPECT_THAT(faults_of({.name = "__Host-a", .path = ""}), HasSubstr("__Host-"));
  EXPECT_THAT(faults_of({.name = "__host-a", .domain = "a.b"}), HasSubstr("__Host-"));
  EXPECT_THAT(faults_of({.name = "__Secure-a", .path = "/x", .domain = "a.b"}), HasSubstr("none: "));
  EXPECT_THAT(faults_of({.name = "__SECURE-a", .secure = false}), HasSubstr("__Secure-"));
  EXPECT_THAT(faults_of({.name = "a", .secure = false, .same_site = SameSite::kNone}), HasSubstr("SameSite"));
  EXPECT_THAT(faults_of({.name = "a", .secure = false, .partitioned = true}), HasSubstr("Partitioned"));
}

TEST(Cookie, IsSetAndDeleted) {
  Router router;
  router.get("/", [](Exchange& c) {
    set_cookie(c, {.name = "a", .value = "1"});
    set_cookie(c, {.name = "b", .value = "2"});
    delete_cookie(c, "old", "/x");
  });
  const Response response = test::call(router, "GET", "/");
  std::string all;
  for (const auto& [name, value] : response.headers) all += name + ": " + value + "\n";
  EXPECT_EQ(all,
            "Set-Cookie: a=1; Path=/; Secure; HttpOnly; SameSite=Lax\n"
            "Set-Cookie: b=2; Path=/; Secure; HttpOnly; SameSite=Lax\n"
            "Set-Cookie: old=; Path=/x; Max-Age=0; Secure; HttpOnly; SameSite=Lax\n");
}

TEST(Cookie, ReadsTheFirstFitOne) {
  const auto find = [](std::string_view header, std::string_view name = "a") {
    return std::string(internal::find_cookie(header, name).value_or("none"));
  };
  EXPECT_EQ(find("a=1"), "1");
  EXPECT_EQ(find("b=2; a=1; a=3"), "1");
  EXPECT_EQ(find("b=2;a=1;c=3"), "1");
  EXPECT_EQ(find("b=2;\t a=x=y ;c"), "x=y");
  EXPECT_EQ(find("a=\"q\""), "q");
  EXPECT_EQ(find("a=\""), "none");
  EXPECT_EQ(find("a="), "");
  EXPECT_EQ(find("A=1; aa=1; a"), "none");
  EXPECT_EQ(find("a=b c; a=\xC3\xA4; a=x,y; a=ok"), "ok");
  EXPECT_EQ(find(";;; =1; ;a=1;"), "1");
  EXPECT_EQ(find(""), "none");
  EXPECT_EQ(find("=1", ""), "none");
}

TEST(Cookie, IsFoundInAnyCookieField) {
  Router router;
  router.get("/", [](Exchange& c) {
    c.text(200, std::string(c.cookie("a")) + "|" + std::string(c.cookie("b")) + "|" +
                    (c.find_cookie("c") ? "yes" : "no"));
  });
  EXPECT_EQ(test::call(router, "GET", "/", {}, {{"Cookie", "a=1"}, {"cookie", "a=2; b=3"}}).body, "1|3|no");
  EXPECT_EQ(test::call(router, "GET", "/").body, "||no");
}

}  // namespace
}  // namespace degu::http
