#include <degu/base/error.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {
namespace {

using test::call;

Handler say(std::string name) {
  return [name = std::move(name)](Exchange& c) {
    std::string text = name;
    for (const Param& param : c.params())
      text += " " + std::string(param.name) + "=" + std::string(param.value);
    c.text(200, text);
  };
}

std::string ask(const Router& router, std::string_view path, std::string_view method = "GET") {
  const Response response = call(router, method, path);
  return response.status == 200 ? response.body : std::to_string(response.status);
}

TEST(Router, MatchesLiteralsParametersAndRest) {
  Router router;
  router.get("/", say("root"));
  router.get("/users", say("users"));
  router.get("/users/:id", say("user"));
  router.get("/users/me", say("me"));
  router.get("/users/:user/orders/:order", say("order"));
  router.get("/files/*path", say("files"));
  EXPECT_EQ(ask(router, "/"), "root");
  EXPECT_EQ(ask(router, "/users"), "users");
  EXPECT_EQ(ask(router, "/users/7"), "user id=7");
  EXPECT_EQ(ask(router, "/users/me"), "me");
  EXPECT_EQ(ask(router, "/users/meg"), "user id=meg");
  EXPECT_EQ(ask(router, "/users/7/orders/9"), "order user=7 order=9");
  EXPECT_EQ(ask(router, "/users/me/orders/9"), "order user=me order=9");
  EXPECT_EQ(ask(router, "/files/a/b.txt"), "files path=a/b.txt");
  EXPECT_EQ(ask(router, "/files/"), "files path=");
  for (const char* path : {"/files", "/users/", "/users//orders/9", "/nothing", "/users/7/orders"}) {
    EXPECT_EQ(ask(router, path), "404") << path;
  }
}

TEST(Router, BacktracksFromLiteralToParameterToRest) {
  Router router;
  router.get("/a/b/c", say("literal"));
  router.get("/a/:x/d", say("param"));
  router.get("/*all", say("rest"));
  router.get("/:x/b/:y/z", say("deep"));
  EXPECT_EQ(ask(router, "/a/b/c"), "literal");
  EXPECT_EQ(ask(router, "/a/b/d"), "param x=b");
  EXPECT_EQ(ask(router, "/a/b/e/z"), "deep x=a y=e");
  EXPECT_EQ(ask(router, "/a/b/e/y"), "rest all=a/b/e/y");
  EXPECT_EQ(ask(router, "/"), "rest all=");
}

TEST(Router, HasVerbsBehindParameters) {
  Router router;
  router.get("/orders/:id", say("get"));
  router.post("/orders/:id:cancel", say("cancel"));
  router.post("/orders/:order_id:really:cancel", say("really"));
  router.post("/orders/:id", say("post"));
  router.post("/orders:batch", say("batch"));
  router.get("/orders/:id:raw/parts/:part", say("parts"));
  EXPECT_EQ(ask(router, "/orders/7:cancel", "POST"), "cancel id=7");
  EXPECT_EQ(ask(router, "/orders/a:b:cancel", "POST"), "cancel id=a:b");
  EXPECT_EQ(ask(router, "/orders/7:really:cancel", "POST"), "really order_id=7");
  EXPECT_EQ(ask(router, "/orders/7:other", "POST"), "post id=7:other");
  EXPECT_EQ(ask(router, "/orders/:cancel", "POST"), "post id=:cancel");
  EXPECT_EQ(ask(router, "/orders/7:cancel"), "get id=7:cancel");
  EXPECT_EQ(ask(router, "/orders:batch", "POST"), "batch");
  EXPECT_EQ(ask(router, "/orders/7:raw/parts/2"), "parts id=7 part=2");
}

TEST(Router, LetsNamesDifferAtOnePosition) {
  Router router;
  router.get("/a/:x/one", say("one"));
  router.get("/a/:y/two", say("two"));
  router.get("/a/:z", say("three"));
  EXPECT_EQ(ask(router, "/a/1/one"), "one x=1");
  EXPECT_EQ(ask(router, "/a/1/two"), "two y=1");
  EXPECT_EQ(ask(router, "/a/1"), "three z=1");
}

std::string registration_error(std::string_view first, std::string_view second) {
  Router router;
  router.get(first, say("first"));
  try {
    router.get(second, say("second"));
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(Router, ReportsAmbiguousRoutesWithBothPatterns) {
  for (const auto& [first, second] :
       std::initializer_list<std::pair<const char*, const char*>>{{"/a", "/a"},
                                                                  {"/a/:x", "/a/:y"},
                                                                  {"/a/*x", "/a/*y"},
                                                                  {"/a/:x/b", "/a/:y/b"},
                                                                  {"/a/:x:go", "/a/:y:go"}}) {
    EXPECT_THAT(registration_error(first, second),
                testing::AllOf(testing::StartsWith("ALREADY_EXISTS"), testing::HasSubstr(first),
                               testing::HasSubstr(second)));
  }
  for (const auto& [first, second] : std::initializer_list<std::pair<const char*, const char*>>{
           {"/a/b", "/a/:x"}, {"/a/:x", "/a/*y"}, {"/a/:x", "/a/:x:go"}, {"/a/:x", "/a/:x/"}}) {
    EXPECT_EQ(registration_error(first, second), "none") << first << " " << second;
  }
}

TEST(Router, RefusesMalformedPatterns) {
  for (const char* pattern : {"", "a", "/:", "/*", "/*a/b", "/:a/:a", "/:a b", "/:a:"}) {
    EXPECT_THAT(registration_error("/fine", pattern), testing::StartsWith("INVALID_ARGUMENT")) << pattern;
  }
}

TEST(Router, Answers404And405WithAllow) {
  Router router;
  router.get("/a/:id", say("get"));
  router.del("/a/:id", say("delete"));
  EXPECT_EQ(call(router, "GET", "/b").status, 404);
  const Response wrong = call(router, "POST", "/a/1");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.header("Allow"), "DELETE, GET, HEAD, OPTIONS");
  EXPECT_EQ(wrong.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(call(router, "BREW", "/a/1").status, 501);
}

TEST(Router, AnswersHeadAndOptionsForFree) {
  Router router;
  router.get("/a", say("get"));
  router.post("/b", say("post"));
  router.handle("OPTIONS", "/c", say("own"));
  const Response head = call(router, "HEAD", "/a");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(call(router, "HEAD", "/b").status, 405);
  const Response options = call(router, "OPTIONS", "/a");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.header("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(ask(router, "/c", "OPTIONS"), "own");
  EXPECT_EQ(call(router, "OPTIONS", "*").header("Allow"), "GET, HEAD, OPTIONS, POST");
}

TEST(Router, DecodesOnceAndSafely) {
  Router router;
  router.get("/a/:x", say("param"));
  router.get("/s/b", say("static"));
  router.get("/f/*rest", say("rest"));
  EXPECT_EQ(ask(router, "/a/x%20y"), "param x=x y");
  EXPECT_EQ(ask(router, "/a/%2525"), "param x=%25");
  EXPECT_EQ(ask(router, "/a/x%2Fy"), "param x=x/y");
  EXPECT_EQ(ask(router, "/%73/b"), "static");
  EXPECT_EQ(ask(router, "/s%2Fb"), "404");
  EXPECT_EQ(ask(router, "/a/%C3%A4"), "param x=\xC3\xA4");
  EXPECT_EQ(ask(router, "/f/a%2Fb"), "rest rest=a/b");
  EXPECT_EQ(ask(router, "/a/..."), "param x=...");
  EXPECT_EQ(ask(router, "/a/+"), "param x=+");
  for (const char* path : {"/a/%00", "/a/%0d%0a", "/a/%7f", "/a/%ff", "/a/%C3", "/f/../s/b", "/f/%2e%2e/s/b",
                           "/f/..%2fs", "/f/a/..", "/f/./a", "/f/%2e", "/f/..%5cs", "/a/%01"}) {
    EXPECT_EQ(ask(router, path), "400") << path;
  }
}

TEST(Router, GroupsSharePrefixAndMiddleware) {
  Router router;
  const auto tag = [](std::string text) {
    return [text](Exchange& c) {
      c.add_header("X-Tag", text);
      c.next();
    };
  };
  router.use(tag("root"));
  RouterGroup api = router.group("/api");
  RouterGroup v1 = api.group("/v1");
  v1.get("/early", say("early"));
  v1.use(tag("v1"));
  v1.get("/late", say("late"));
  RouterGroup admin = v1.group("/admin");
  admin.use([](Exchange& c) { c.text(403, "no"); });
  admin.get("/x", say("never"));
  const Response early = call(router, "GET", "/api/v1/early");
  EXPECT_EQ(early.headers.size(), 2U);
  const Response late = call(router, "GET", "/api/v1/late");
  EXPECT_EQ(late.headers.size(), 3U);
  EXPECT_EQ(call(router, "GET", "/api/v1/admin/x").status, 403);
  EXPECT_EQ(call(router, "GET", "/nothing").header("X-Tag"), "root");
  EXPECT_EQ(router.routes().size(), 3U);
  EXPECT_THROW(router.group("api"), Error);
  EXPECT_THROW(router.group("/api/"), Error);
}

// Every pattern of a random set finds itself, and what it captured is what was put in.
TEST(Router, FindsEachOfManyRoutes) {
  Router router;
  std::vector<std::pair<std::string, std::string>> paths;
  for (int a = 0; a < 12; ++a) {
    for (int b = 0; b < 12; ++b) {
      const std::string base = "/api" + std::to_string(a) + "/item" + std::to_string(b * 37);
      router.get(base, say(base));
      router.get(base + "/:id", say(base + "/:id"));
      router.get(base + "/:id/parts/:part", say(base + "/parts"));
      paths.emplace_back(base, base);
      paths.emplace_back(base + "/5", base + "/:id id=5");
      paths.emplace_back(base + "/5/parts/x", base + "/parts id=5 part=x");
    }
  }
  for (const auto& [path, wanted] : paths) EXPECT_EQ(ask(router, path), wanted);
}

}  // namespace
}  // namespace degu::http
