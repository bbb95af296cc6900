#include <degu/context/cancel_scope.h>
#include <degu/http/middleware.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <degu/obs/log.h>
#include <degu/rt/run.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {

enum class Sort { up, down };
BOOST_DESCRIBE_ENUM(Sort, up, down)

struct Search {
  std::string id;
  std::string name;
  int page = 1;
  uint16_t size = 20;
  double ratio = 0;
  bool deep = false;
  Sort sort = Sort::up;
  std::optional<int> limit;
  std::vector<std::string> tag;
  std::map<std::string, int> extra;
};
BOOST_DESCRIBE_STRUCT(Search, (), (id, name, page, size, ratio, deep, sort, limit, tag, extra))

void validate(const Search& search, json::FieldErrors& errors) {
  check_length(errors, "name", search.name, 0, 5);
  check_range(errors, "page", search.page, 1, 100);
}

namespace {

using test::call;
using ::testing::HasSubstr;

Router with(std::string_view path, Handler handler) {
  Router router;
  router.handle("GET", path, std::move(handler));
  return router;
}

// Collects what is logged, for as long as it lives.
class LogCapture : public LogSink {
 public:
  LogCapture() { set_log_sink(this); }
  ~LogCapture() override { set_log_sink(nullptr); }
  void write(Level, std::string_view message, std::span<const LogField> fields) noexcept override {
    text += message;
    for (const LogField& field : fields) {
      text += " " + std::string(field.key) + "=";
      if (const auto* value = std::get_if<std::string_view>(&field.value)) text += *value;
      if (const auto* value = std::get_if<int64_t>(&field.value)) text += std::to_string(*value);
      if (const auto* value = std::get_if<uint64_t>(&field.value)) text += std::to_string(*value);
    }
    text += "\n";
  }
  std::string text;
};

TEST(Exchange, ReadsQueries) {
  const Router router = with("/", [](Exchange& c) {
    std::string text;
    for (const Param& param : c.query_params())
      text += "[" + std::string(param.name) + "=" + std::string(param.value) + "]";
    text += c.query("a");
    text += c.find_query("none") ? "!" : ".";
    c.text(200, text);
  });
  EXPECT_EQ(call(router, "GET", "/?a=1&b=x+y%26z&&a=2&c&=d&e=%C3%A4").body,
            "[a=1][b=x y&z][a=2][c=][=d][e=\xC3\xA4]1.");
  EXPECT_EQ(call(router, "GET", "/").body, ".");
  EXPECT_EQ(call(router, "GET", "/?a=%00").status, 400);
  EXPECT_EQ(call(router, "GET", "/?a=%ff").status, 400);
}

TEST(Exchange, AFaultyQueryStaysFaulty) {
  const Router router = with("/", [](Exchange& c) {
    EXPECT_THROW(c.query("a"), Error);
    c.text(200, c.query("a"));
  });
  EXPECT_EQ(call(router, "GET", "/?a=1&b=%ff").status, 400);
}

TEST(Exchange, BindsPathQueryAndBody) {
  Router router;
  router.post("/s/:id", [](Exchange& c) { c.json(200, c.bind<Search>()); });
  const Response response = call(
      router, "POST", "/s/a%20b?page=3&size=7&deep=true&sort=down&limit=-1&tag=x&tag=y&ratio=1.5&other=1",
      R"({"id":"ignored","name":"n","page":9,"extra":{"k":1}})");
  EXPECT_EQ(response.body,
            R"({"id":"a b","name":"n","page":3,"size":7,"ratio":1.5,"deep":true,"sort":"down","limit":-1,)"
            R"("tag":["x","y"],"extra":{"k":1}})");
}

TEST(Exchange, ReportsAllFieldErrorsAtOnce) {
  Router router;
  router.post("/s/:page", [](Exchange& c) { c.json(200, c.bind<Search>()); });
  const Response response =
      call(router, "POST", "/s/x1?size=70000&deep=maybe&sort=left&limit=1&limit=2&ratio=inf",
           R"({"name":"too long","unknown":1})");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.header("content-type"), "application/problem+json");
  EXPECT_EQ(
      response.body,
      R"({"type":"about:blank","title":"Bad Request","status":400,"detail":"the request has invalid fields",)"
      R"("code":"INVALID_ARGUMENT","errors":[{"field":"unknown","reason":"is not a known field"},)"
      R"({"field":"page","reason":"must be a whole number"},{"field":"size","reason":"must be from 0 to 65535"},)"
      R"({"field":"ratio","reason":"must be a number"},{"field":"deep","reason":"must be true or false"},)"
      R"({"field":"sort","reason":"is not one of the allowed names"},{"field":"limit","reason":"is given more than once"},)"
      R"({"field":"name","reason":"must have 0 to 5 characters"}]})");
  const auto fault = [&](std::string_view target) { return call(router, "POST", target).body; };
  for (const char* page : {"1x", "+1", "1.0", "0x1", "%201", "1e1", "-"}) {
    EXPECT_THAT(fault(std::string("/s/") + page), HasSubstr("must be a whole number")) << page;
  }
  EXPECT_THAT(fault("/s/99999999999999999999"), HasSubstr("must be from -2147483648 to 2147483647"));
  EXPECT_THAT(fault("/s/1?size=-1"), HasSubstr("must be from 0 to 65535"));
  EXPECT_THAT(fault("/s/101"), HasSubstr("must be from 1 to 100"));
}

TEST(Exchange, RefusesBodiesThatAreNotJson) {
  Router router;
  router.post("/", [](Exchange& c) { c.json(200, c.bind<Search>()); });
  EXPECT_EQ(call(router, "POST", "/", "{").status, 400);
  EXPECT_EQ(call(router, "POST", "/", "[]").status, 400);
  EXPECT_EQ(call(router, "POST", "/", "a=b", {{"Content-Type", "text/plain"}}).status, 415);
  EXPECT_EQ(call(router, "POST", "/", "{}", {{"Content-Type", "Application/Merge-Patch+JSON; charset=utf-8"}})
                .status,
            200);
}

TEST(Exchange, RefusesToSplitResponses) {
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, const char*>>{{"X", "a\r\nSet-Cookie: b"},
                                                                  {"X", "a\nb"},
                                                                  {"X\r\nY", "a"},
                                                                  {"X Y", "a"},
                                                                  {"", "a"},
                                                                  {"Content-Length", "5"},
                                                                  {"transfer-encoding", "chunked"},
                                                                  {"Connection", "close"},
                                                                  {"Proxy-Connection", "close"}}) {
    const Router router = with("/", [=](Exchange& c) {
      c.text(200, "ok");
      c.set_header(name, value);
    });
    LogCapture capture;
    const Response response = call(router, "GET", "/");
    EXPECT_EQ(response.status, 500);
    EXPECT_THAT(response.body, ::testing::Not(HasSubstr("ok")));
  }
  const Router router = with("/", [](Exchange& c) { c.raw(200, "text/plain\r\nX: y", std::string("ok")); });
  LogCapture capture;
  EXPECT_EQ(call(router, "GET", "/").status, 500);
}

TEST(Exchange, ReplacesAndAddsHeaders) {
  const Router router = with("/", [](Exchange& c) {
    c.set_header("X-One", "1");
    c.set_header("x-one", "2");
    c.add_header("Set-Cookie", "a");
    c.add_header("Set-Cookie", "b");
    c.raw(200, "text/plain", std::string("x"));
    c.set_header("content-type", "text/html");
  });
  const Response response = call(router, "GET", "/");
  EXPECT_EQ(response.headers.size(), 4U);
  EXPECT_EQ(response.header("X-ONE"), "2");
  EXPECT_EQ(response.header("content-type"), "text/html");
}

TEST(Exchange, Redirects) {
  const auto answer = [](int status, const std::string& location) {
    LogCapture capture;
    const Router router = with("/", [=](Exchange& c) {
      c.text(200, "dropped");
      c.redirect(status, location);
    });
    return call(router, "GET", "/");
  };
  for (const int status : {301, 302, 303, 307, 308}) {
    const Response response = answer(status, "/a?b=%20c#d");
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.header("location"), "/a?b=%20c#d");
    EXPECT_EQ(response.body, "");
  }
  EXPECT_EQ(answer(303, "https://[::1]:8080/x,y;z=(1)").status, 303);
  EXPECT_EQ(answer(303, "next").status, 303);
  for (const int status : {200, 300, 304, 305, 306, 309, 404}) EXPECT_EQ(answer(status, "/").status, 500);
  for (const std::string location :
       {"", "/a\r\nX: y", "/a b", "/\t", "\\x", "/\xC3\xA4", "/\"", "/<", "/\x7f"}) {
    const Response response = answer(303, location);
    EXPECT_EQ(response.status, 500) << location;
    EXPECT_EQ(response.header("location"), "") << location;
  }
  EXPECT_EQ(answer(303, std::string("/\0", 2)).status, 500);
}

TEST(Exchange, KnowsLocalTargets) {
  for (const char* local : {"/", "/a/b?next=//x#y", "/a//b", "/a:b", "/%2F/x"})
    EXPECT_TRUE(is_local_target(local)) << local;
  for (const char* foreign :
       {"", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil", "http://evil.example",
        "https:evil.example", "javascript:alert(1)", "evil.example", "a/b", "?a", "#a", " /a", "/\t/evil",
        "/a b", "/\n/evil", "/a\\b", "/\xE2\x80\x8B"}) {
    EXPECT_FALSE(is_local_target(foreign)) << foreign;
  }
}

TEST(Exchange, SendsHtml) {
  const Response response = call(with("/", [](Exchange& c) { c.html(201, "<p>x"); }), "GET", "/");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.header("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(response.body, "<p>x");
}

TEST(Exchange, KeepsLocalsByType) {
  struct User {
    std::string name;
  };
  Router router;
  router.use([](Exchange& c) {
    EXPECT_EQ(c.get<User>(), nullptr);
    c.set(User{"a"});
    c.set(User{"ada"});
    c.set(7);
    c.next();
  });
  router.get("/", [](Exchange& c) { c.text(200, c.get<User>()->name + std::to_string(*c.get<int>())); });
  EXPECT_EQ(call(router, "GET", "/").body, "ada7");
}

TEST(Exchange, StreamsIntoTests) {
  const Router router = with("/", [](Exchange& c) {
    ResponseStream& stream = c.stream(201, "text/event-stream");
    stream.write("a");
    stream.write("b");
  });
  const Response response = call(router, "GET", "/");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, "ab");
}

TEST(Exchange, MapsExceptionsWithoutTellingSecrets) {
  for (const bool recovered : {false, true}) {
    Router router;
    if (recovered) router.use(recovery());
    router.get("/missing", [](Exchange&) { throw Error(Code::kNotFound, "no user 17"); });
    router.get("/teapot", [](Exchange& c) {
      c.text(200, "half an answer");
      throw HttpError(418, Code::kFailedPrecondition, "short and stout");
    });
    router.get("/internal", [](Exchange&) { throw Error(Code::kInternal, "password is hunter2"); });
    router.get("/std", [](Exchange&) { throw std::runtime_error("password is hunter2"); });
    router.get("/int", [](Exchange&) { throw 7; });
    router.get("/401", [](Exchange&) { throw Error(Code::kUnauthenticated, "log in first"); });
    LogCapture capture;
    EXPECT_THAT(call(router, "GET", "/missing").body,
                HasSubstr(R"("detail":"no user 17","code":"NOT_FOUND")"));
    const Response teapot = call(router, "GET", "/teapot");
    EXPECT_EQ(teapot.status, 418);
    EXPECT_THAT(teapot.body, ::testing::Not(HasSubstr("half")));
    EXPECT_EQ(capture.text, "");
    for (const char* path : {"/internal", "/std", "/int"}) {
      const Response response = call(router, "GET", path);
      EXPECT_EQ(response.status, 500);
      EXPECT_THAT(response.body, ::testing::Not(HasSubstr("hunter2")));
    }
    EXPECT_THAT(capture.text, HasSubstr("hunter2"));
    EXPECT_EQ(call(router, "GET", "/401").header("WWW-Authenticate"), "Bearer");
  }
}

TEST(Middleware, RecoveryLetsThoseBeforeItSeeTheAnswer) {
  LogCapture capture;
  Router router;
  router.use(request_id());
  router.use(access_log());
  router.use(recovery());
  router.get("/a/:x", [](Exchange&) { throw Error(Code::kNotFound, "none"); });
  const Response response = call(router, "GET", "/a/1?q=2", {}, {{"X-Request-Id", "r-1"}});
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.header("x-request-id"), "r-1");
  EXPECT_THAT(response.body, HasSubstr(R"("requestId":"r-1")"));
  EXPECT_THAT(capture.text, HasSubstr("request method=GET path=/a/1 route=/a/:x status=404 bytes="));
  EXPECT_THAT(capture.text, HasSubstr("request_id=r-1"));
  call(router, "GET", "/nothing");
  EXPECT_THAT(capture.text, HasSubstr("path=/nothing route= status=404"));
}

TEST(Middleware, RequestIdsAreFitOrFresh) {
  Router router;
  router.use(request_id());
  router.get("/", [](Exchange& c) { c.text(200, c.request_id()); });
  EXPECT_EQ(call(router, "GET", "/").body.size(), 32U);
  EXPECT_NE(call(router, "GET", "/").body, call(router, "GET", "/").body);
  EXPECT_EQ(call(router, "GET", "/", {}, {{"X-Request-Id", "a b"}}).body.size(), 32U);
  EXPECT_EQ(call(router, "GET", "/", {}, {{"X-Request-Id", std::string(129, 'a')}}).body.size(), 32U);
}

TEST(Middleware, TimeoutEndsTheContext) {
  run([] {
    Router router;
    router.use(timeout(std::chrono::milliseconds(10)));
    router.get("/slow", [](Exchange&) { sleep(std::chrono::seconds(10)); });
    router.get("/fast", [](Exchange& c) { c.text(200, "ok"); });
    EXPECT_EQ(call(router, "GET", "/slow").status, 504);
    EXPECT_EQ(call(router, "GET", "/fast").body, "ok");
    EXPECT_EQ(call(router, "GET", "/slow", {}, {{"x-request-timeout-ms", "1"}}).status, 504);
    EXPECT_FALSE(current_context().deadline());
  });
}

}  // namespace
}  // namespace degu::http
