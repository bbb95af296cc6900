#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace degu::http {

enum class Theme { light, dark };
BOOST_DESCRIBE_ENUM(Theme, light, dark)

struct Nested {
  json::Required<int> x;
  std::string note;
};
BOOST_DESCRIBE_STRUCT(Nested, (), (x, note))

struct Everything {
  json::Required<std::string> id;
  json::Required<std::string> title;
  std::optional<int> amount;
  std::vector<int> size;
  std::optional<Nested> nested;
  FromHeader<std::optional<std::string>, "X-Trace"> trace;
  FromHeader<std::vector<std::string>, "X-Flag"> flags;
  json::Required<FromHeader<int, "X-Tenant">> tenant;
  FromCookie<Theme, "theme"> theme;
};
BOOST_DESCRIBE_STRUCT(Everything, (), (id, title, amount, size, nested, trace, flags, tenant, theme))

struct Upload {
  json::Required<std::string> title;
  json::Required<UploadedFile> picture;
  std::optional<UploadedFile> thumbnail;
  std::vector<UploadedFile> pages;
};
BOOST_DESCRIBE_STRUCT(Upload, (), (title, picture, thumbnail, pages))

namespace {

using test::call;
using ::testing::HasSubstr;
using ::testing::Not;

using Headers = std::vector<std::pair<std::string, std::string>>;
const std::pair<std::string, std::string> kFormType{"Content-Type", "application/x-www-form-urlencoded"};
const std::pair<std::string, std::string> kMultipartType{"Content-Type", "multipart/form-data; boundary=XX"};

Router everything() {
  Router router;
  router.post("/e/:id", [](Exchange& c) {
    const auto in = c.bind<Everything>();
    std::string flags;
    for (const std::string& flag : *in.flags) flags += "[" + flag + "]";
    c.text(200, json::to_string(in) + " trace=" + in.trace->value_or("none") + " flags=" + flags +
                    " tenant=" + std::to_string(**in.tenant) +
                    " theme=" + std::string(json::enum_name(*in.theme)));
  });
  return router;
}

std::string part(std::string_view name, std::string_view content, std::string_view more = {}) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"" + std::string(more) +
         "\r\n\r\n" + std::string(content) + "\r\n";
}

TEST(Bind, TakesHeadersAndCookies) {
  const Router router = everything();
  EXPECT_EQ(call(router, "POST", "/e/7", R"({"title":"t","size":[1]})",
                 {{"X-Trace", "abc"},
                  {"x-flag", "a, b"},
                  {"X-Flag", ",c"},
                  {"X-Tenant", "5"},
                  {"Cookie", "theme=dark"}})
                .body,
            R"({"id":"7","title":"t","size":[1]} trace=abc flags=[a][b][c] tenant=5 theme=dark)");
  EXPECT_EQ(call(router, "POST", "/e/7?title=q&size=1&size=2", {}, {{"X-Tenant", "5"}}).body,
            R"({"id":"7","title":"q","size":[1,2]} trace=none flags= tenant=5 theme=light)");
}

TEST(Bind, TakesForms) {
  const Router router = everything();
  EXPECT_EQ(
      call(router, "POST", "/e/7", "title=a+b%26c&size=1&size=2&amount=&&", {kFormType, {"X-Tenant", "1"}})
          .body,
      R"({"id":"7","title":"a b&c","size":[1,2]} trace=none flags= tenant=1 theme=light)");
  EXPECT_THAT(call(router, "POST", "/e/7?title=query", "id=form&title=form&amount=3",
                   {{"content-type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8"}, {"X-Tenant", "1"}})
                  .body,
              HasSubstr(R"({"id":"7","title":"query","amount":3,"size":[]})"));
  EXPECT_THAT(call(router, "POST", "/e/7", part("title", "m") + part("size", "4") + "--XX--",
                   {kMultipartType, {"X-Tenant", "1"}})
                  .body,
              HasSubstr(R"({"id":"7","title":"m","size":[4]})"));
}

TEST(Bind, TellsAllThatIsMissingAndWrongAtOnce) {
  const Router router = everything();
  const std::string faults =
      call(router, "POST", "/e/7", R"({"nested":{},"amount":"x","trace":"no","extra":1})",
           {{"X-Trace", "a"}, {"X-Trace", "b"}, {"Cookie", "theme=blue"}})
          .body;
  EXPECT_THAT(
      faults,
      HasSubstr(
          R"("errors":[{"field":"nested.x","reason":"is required"},{"field":"amount","reason":"must be a number, not string"},)"
          R"({"field":"trace","reason":"is not a known field"},{"field":"extra","reason":"is not a known field"},)"
          R"({"field":"X-Trace","reason":"is given more than once"},{"field":"theme","reason":"is not one of the allowed names"},)"
          R"({"field":"title","reason":"is required"},{"field":"X-Tenant","reason":"is required"}])"));
}

TEST(Bind, AFaultyRequiredMemberIsReportedOnce) {
  const Router router = everything();
  const std::string faults = call(router, "POST", "/e/7", R"({"title":1})", {{"X-Tenant", "x"}}).body;
  EXPECT_THAT(faults, HasSubstr(R"({"field":"title","reason":"must be a string, not number"})"));
  EXPECT_THAT(faults, HasSubstr(R"({"field":"X-Tenant","reason":"must be a whole number"})"));
  EXPECT_THAT(faults, Not(HasSubstr("is required")));
}

TEST(Bind, RequiredWorksWithoutARequest) {
  EXPECT_EQ(json::to_string(json::from_string<Nested>(R"({"x":3})")), R"({"x":3,"note":""})");
  EXPECT_THROW(json::from_string<Nested>("{}"), Error);
  Nested nested;
  EXPECT_FALSE(nested.x.given);
  nested.x = 4;
  EXPECT_TRUE(nested.x.given);
  const int as_value = nested.x;
  EXPECT_EQ(as_value, 4);
}

TEST(Bind, FieldsThatNoMemberTakesAreFaults) {
  const Router router = everything();
  const auto faults = [&](std::string_view body) {
    return call(router, "POST", "/e/7", body, {kFormType, {"X-Tenant", "1"}}).body;
  };
  EXPECT_THAT(faults("title=t&other=1"), HasSubstr(R"([{"field":"other","reason":"is not a known field"}])"));
  EXPECT_THAT(faults("title=t&nested=1"),
              HasSubstr(R"([{"field":"nested","reason":"is not a known field"}])"));
  EXPECT_THAT(faults("title=t&trace=1"), HasSubstr(R"([{"field":"trace","reason":"is not a known field"}])"));
  EXPECT_THAT(faults("title=t&title=u"),
              HasSubstr(R"([{"field":"title","reason":"is given more than once"}])"));
  EXPECT_THAT(faults("title=t&size=1&size=x"),
              HasSubstr(R"([{"field":"size[1]","reason":"must be a whole number"}])"));
}

TEST(Bind, RefusesMalformedForms) {
  const Router router = everything();
  for (const std::string body : {"title=%", "title=%zz", "title=%00", "title=%ff", "title=\xff"}) {
    EXPECT_EQ(call(router, "POST", "/e/7", body, {kFormType}).status, 400) << body;
  }
  std::string many = "title=t";
  for (int i = 1; i < 1000; ++i) many += "&size=1";
  EXPECT_EQ(call(router, "POST", "/e/7", many, {kFormType, {"X-Tenant", "1"}}).status, 200);
  EXPECT_THAT(call(router, "POST", "/e/7", many + "&size=1", {kFormType, {"X-Tenant", "1"}}).body,
              HasSubstr("too many parameters"));
  for (const std::string body : {"", "--XX\r\n", "--YY--", "--XX--x"}) {
    if (!body.empty()) {
      EXPECT_EQ(call(router, "POST", "/e/7", body, {kMultipartType}).status, 400) << body;
    }
  }
  EXPECT_THAT(call(router, "POST", "/e/7", part("title", "\xff") + "--XX--", {kMultipartType}).body,
              HasSubstr("not UTF-8 text"));
  EXPECT_EQ(call(router, "POST", "/e/7", "x", {{"Content-Type", "multipart/form-data"}}).status, 400);
  std::string parts;
  for (int i = 0; i <= 1000; ++i) parts += part("size", "1");
  EXPECT_EQ(call(router, "POST", "/e/7", parts + "--XX--", {kMultipartType}).status, 413);
}

TEST(Bind, RefusesBodiesOfOtherTypes) {
  const Router router = everything();
  for (const std::string type : {"text/plain", "application/xml", "nonsense", "multipart/mixed; boundary=XX",
                                 "application/x-www-form-urlencoded; charset=iso-8859-1"}) {
    EXPECT_EQ(call(router, "POST", "/e/7", "title=t", {{"Content-Type", type}}).status, 415) << type;
    EXPECT_EQ(call(router, "POST", "/e/7?title=t", "", {{"Content-Type", type}, {"X-Tenant", "1"}}).status,
              200);
  }
}

TEST(Bind, HeadersMustBeUtf8) {
  const Router router = everything();
  EXPECT_THAT(call(router, "POST", "/e/7?title=t", "", {{"X-Trace", "\xff"}, {"X-Tenant", "1"}}).body,
              HasSubstr(R"([{"field":"X-Trace","reason":"is not valid UTF-8"}])"));
}

Router upload() {
  Router router;
  router.post("/u", [](Exchange& c) {
    const auto in = c.bind<Upload>();
    std::string text = *in.title + " " + in.picture->filename + ":" + in.picture->content_type + ":" +
                       in.picture->content + " " + (in.thumbnail ? in.thumbnail->filename : "none");
    for (const UploadedFile& page : in.pages) text += " " + page.filename;
    c.text(200, text);
  });
  return router;
}

TEST(Bind, TakesUploadedFiles) {
  const Router router = upload();
  const std::string body =
      part("title", "t") +
      part("picture", "\xff\r\n--X", "; filename=\"dir/p.png\"\r\nContent-Type: image/png") +
      part("pages", "1", "; filename=a") + part("pages", "2", "; filename=b") +
      part("thumbnail", "", "; filename=\"\"") + "--XX--\r\n";
  EXPECT_EQ(call(router, "POST", "/u", body, {kMultipartType}).body,
            "t p.png:image/png:\xff\r\n--X none a b");
}

TEST(Bind, TellsFilesFromTexts) {
  const Router router = upload();
  const std::string faults =
      call(router, "POST", "/u",
           part("title", "t", "; filename=t") + part("thumbnail", "text") +
               part("thumbnail", "1", "; filename=a") + part("thumbnail", "2", "; filename=b") +
               part("other", "x", "; filename=x") + "--XX--",
           {kMultipartType})
          .body;
  EXPECT_THAT(
      faults,
      HasSubstr(R"("errors":[{"field":"thumbnail","reason":"must be a file"},)"
                R"({"field":"title","reason":"must be text, not a file"},)"
                R"({"field":"other","reason":"is not a known field"},)"
                R"({"field":"thumbnail","reason":"is given more than once"},)"
                R"({"field":"title","reason":"is required"},{"field":"picture","reason":"is required"}])"));
  EXPECT_THAT(
      call(router, "POST", "/u", R"({"title":"t","picture":"x"})").body,
      HasSubstr(
          R"([{"field":"picture","reason":"is not a known field"},{"field":"picture","reason":"is required"}])"));
}

TEST(Form, IsReadWithoutAStruct) {
  Router router;
  router.post("/", [](Exchange& c) {
    std::string text = std::string(c.form("a")) + "|" + (c.find_form("b") ? "yes" : "no");
    for (const UploadedPart& file : c.form_files()) {
      text +=
          "|" + std::string(file.name) + "=" + std::string(file.filename) + ":" + std::string(file.content);
    }
    c.text(200, text);
  });
  EXPECT_EQ(call(router, "POST", "/", "a=1&a=2", {kFormType}).body, "1|no");
  EXPECT_EQ(
      call(router, "POST", "/", part("b", "") + part("f", "xyz", "; filename=n") + "--XX--", {kMultipartType})
          .body,
      "|yes|f=n:xyz");
  EXPECT_EQ(call(router, "POST", "/").body, "|no");
  EXPECT_EQ(call(router, "POST", "/", "{}").status, 415);
}

}  // namespace
}  // namespace degu::http
