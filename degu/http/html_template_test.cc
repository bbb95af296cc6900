#include <degu/base/testing/temp_dir.h>
#include <degu/http/html_template.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace degu::http {

struct Line {
  std::string name;
  double price = 0;
  bool sold_out = false;
};
BOOST_DESCRIBE_STRUCT(Line, (), (name, price, sold_out))

struct Bill {
  std::string title;
  std::optional<std::string> note;
  std::vector<Line> lines;
  std::map<std::string, std::string> labels;
  int64_t total = 0;
};
BOOST_DESCRIBE_STRUCT(Bill, (), (title, note, lines, labels, total))

namespace {

using ::testing::HasSubstr;
using Values = std::map<std::string, std::string>;

template <class T>
std::string render(const std::string& text, const T& values) {
  return HtmlTemplates::compile({{"t.html", text}}).render("t.html", values);
}

std::string render_json(const std::string& text, std::string_view json) {
  const json::Document document = json::Document::parse(json);
  std::string out;
  HtmlTemplates::compile({{"t.html", text}}).render("t.html", document.root(), out);
  return out;
}

std::string fault_of(const std::vector<HtmlSource>& sources) {
  try {
    HtmlTemplates::compile(sources);
    return "none";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    return error.message();
  }
}

std::string fault(const std::string& text) { return fault_of({{"t.html", text}}); }

TEST(HtmlTemplate, RendersStructs) {
  const Bill bill{"A & B", std::nullopt, {{"tea", 1.5, false}, {"<salt>", 2, true}}, {{"k", "v"}}, 350};
  EXPECT_EQ(
      render(
          "<h1>{{title}}</h1>{{#note}}<p>{{.}}</p>{{/note}}<ul>{{#lines}}<li>{{name}}: {{price}}"
          "{{#sold_out}} sold out{{/sold_out}} of {{title}}</li>{{/lines}}</ul>{{labels.k}}{{labels.none.x}} "
          "{{ total }}{{! words }}",
          bill),
      "<h1>A &amp; B</h1><ul><li>tea: 1.5 of A &amp; B</li><li>&lt;salt&gt;: 2 sold out of A &amp; "
      "B</li></ul>v 350");
}

TEST(HtmlTemplate, EscapesTextAndAttributes) {
  EXPECT_EQ(
      render(R"(<p title="{{x}}" class='a {{x}}'>{{x}}</p><title>{{x}}</title><textarea>{{x}}</textarea>)",
             Values{{"x", R"(<b a="1" c='2'>&)"}}),
      R"(<p title="&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;" class='a &lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;'>)"
      R"(&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;</p><title>&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;</title>)"
      R"(<textarea>&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;</textarea>)");
  EXPECT_EQ(render("{{&x}}", Values{{"x", "<b>"}}), "<b>");
}

TEST(HtmlTemplate, SectionsFollowTheValue) {
  const std::string text = "{{#x}}[{{.}}]{{/x}}{{^x}}none{{/x}}";
  EXPECT_EQ(render_json(text, R"({"x":[1,"a",true,18446744073709551615]})"),
            "[1][a][true][18446744073709551615]");
  EXPECT_EQ(render_json(text, R"({"x":"a"})"), "[a]");
  EXPECT_EQ(render_json(text, R"({"x":0})"), "[0]");
  EXPECT_EQ(render_json(text, R"({"x":true})"), "[true]");
  for (const char* empty : {"{}", R"({"x":null})", R"({"x":false})", R"({"x":""})", R"({"x":[]})"}) {
    EXPECT_EQ(render_json(text, empty), "none") << empty;
  }
  EXPECT_EQ(render_json("{{#x}}{{y}}{{/x}}", R"({"x":{"y":1},"y":2})"), "1");
  EXPECT_EQ(render_json("{{#x}}{{y}}{{/x}}", R"({"x":{},"y":2})"), "2");
  EXPECT_EQ(render_json("{{#a.b}}{{c}}{{/a.b}}", R"({"a":{"b":[{"c":1},{"c":2}]}})"), "12");
  EXPECT_EQ(render_json("{{#x}}{{#.}}{{.}}{{/.}};{{/x}}", R"({"x":[[1,2],[3]]})"), "12;3;");
}

TEST(HtmlTemplate, SectionsMayMakeAttributes) {
  const std::string text =
      R"(<option value="1" {{#on}}selected{{/on}}>{{#on}}<a {{#on}}class="{{on}}"{{/on}} id="a">{{/on}})";
  EXPECT_EQ(render(text, Values{{"on", "x"}}), R"(<option value="1" selected><a class="x" id="a">)");
  EXPECT_EQ(render(text, Values{}), R"(<option value="1" >)");
  EXPECT_EQ(render(R"(<p class="a{{#on}} b{{/on}}">)", Values{{"on", "x"}}), R"(<p class="a b">)");
}

TEST(HtmlTemplate, LetsNoUrlRunCode) {
  const auto href = [](const std::string& url) { return render(R"(<a href="{{u}}">)", Values{{"u", url}}); };
  for (const std::string good :
       {"/a?b=c:d", "https://x/y", "HTTP://x", "mailto:a@b", "a/b:c", "#x:y", "?a:b", "//host/x", ""}) {
    EXPECT_EQ(href(good), "<a href=\"" + good + "\">");
  }
  for (const std::string bad :
       {"javascript:alert(1)", "JaVaScRiPt:x", " javascript:x", "java\tscript:x", "\x01javascript:x",
        "data:text/html,x", "vbscript:x", "java\nscript\r:x", "blob:x", ":x"}) {
    EXPECT_EQ(href(bad), "<a href=\"#\">") << bad;
  }
  EXPECT_EQ(render(R"(<a href="/x/{{u}}">)", Values{{"u", "javascript:x"}}), R"(<a href="/x/javascript:x">)");
  EXPECT_EQ(render(R"(<a HREF="{{u}}/x">)", Values{{"u", "javascript:x"}}), R"(<a HREF="#/x">)");
  EXPECT_EQ(render(R"(<a href="mailto:{{u}}">)", Values{{"u", "a@b"}}), R"(<a href="mailto:a@b">)");
  for (const char* bad :
       {"<a href=\"javascript:f('{{x}}')\">", R"(<a href="{{a}}{{b}}">)", R"(<a href="java{{x}}">)",
        R"(<a href="{{a}}:{{b}}">)", R"(<a href="javascript&colon;/{{x}}">)", R"(<a href="data:{{x}}">)",
        R"(<form action="x{{x}}">)"}) {
    EXPECT_THAT(fault(bad), HasSubstr("a URL must start with")) << bad;
  }
}

TEST(HtmlTemplate, RefusesPlacesThatEscapingCannotMend) {
  for (const char* bad : {"<script>{{x}}</script>",
                          "<style>{{x}}</style>",
                          "<SCRIPT a='b'>var x = '{{x}}'</SCRIPT>",
                          "<iframe>{{x}}</iframe>",
                          "<!-- {{x}} -->",
                          "<!doctype {{x}}>",
                          "<{{x}}>",
                          "<a{{x}}>",
                          "<a {{x}}>",
                          "<a {{x}}='y'>",
                          "<a b{{x}}='y'>",
                          "<a b={{x}}>",
                          "<a b=y{{x}}>",
                          "<a onclick=\"{{x}}\">",
                          "<a ONfoo='{{x}}'>",
                          "<a style=\"color: {{x}}\">",
                          "<iframe srcdoc=\"{{x}}\">",
                          "</{{x}}>",
                          "<a {{&x}}>",
                          "<a b=\"{{&x}}\">",
                          "<a b=\"{{>t.html}}\">",
                          "<script>{{&x}}</script>",
                          "<a onclick {{#x}}=\"{{y}}\"{{/x}}>",
                          "<svg><script>{{x}}</script>"}) {
    EXPECT_THAT(fault(bad), HasSubstr("t.html:1:")) << bad;
  }
}

TEST(HtmlTemplate, ReadsMarkupAsBrowsersDo) {
  for (const char* good :
       {"<script>if (a < b) '</scrip>' </script>{{x}}", "<style>a > b {}</style >{{x}}", "a < b {{x}}",
        "<!-- <a b=\" -->{{x}}", "<!doctype html>{{x}}", "<?xml?>{{x}}", "<a b='>' c=\">\" d=x/y>{{x}}",
        "<br/>{{x}}", "<a b = \"{{x}}\">", "<p title='\"{{x}}'>", "<title>a</titlex {{x}}</title>{{x}}",
        "<a b><c d>{{x}}", "<input disabled value=\"{{x}}\">", "<script>{{#x}}f(){{/x}}</script>",
        "<title>{{#x}}a{{/x}}</title>", "{{#x}}<b>{{/x}}"}) {
    EXPECT_EQ(fault(good), "none") << good;
  }
  for (const char* bad : {"<a b=>x", "<a \"x\">", "<a b\"c>", "</>", "<title><b>{{x}}</b></title>",
                          "<script><!-- </script>", "<a b=\"", "<!-- ", "<script>", "<a", "<title>x"}) {
    EXPECT_NE(fault(bad), "none") << bad;
  }
}

TEST(HtmlTemplate, SectionsEndWhereTheyBegan) {
  for (const char* bad :
       {"{{#x}}<a href=\"{{/x}}\">", "<p {{#x}}>{{/x}}>", "<p{{#x}} a{{/x}}>", "<p a{{#x}}b{{/x}}>",
        "<p a=\"{{#x}}\" b=\"{{/x}}\">", "{{#x}}<script>{{/x}}</script>", "<a href=\"{{#x}}/{{/x}}{{y}}\">",
        "<p {{#x}}a{{/x}}b>", "<p {{#x}}a{{/x}}{{#y}}b{{/y}}>", "<p a={{#x}}1{{/x}}>",
        "<title>{{#x}}</title>{{/x}}", "<p {{#x}}a=\"{{/x}}\">"}) {
    EXPECT_THAT(fault(bad), HasSubstr("t.html:1:")) << bad;
  }
}

TEST(HtmlTemplate, TellsWhereTheFaultIs) {
  EXPECT_EQ(fault("<p>\n  {{#a}}\n{{/b}}"), "t.html:3:1: no section {{#b}} is open here");
  EXPECT_EQ(fault("{{/a}}"), "t.html:1:1: no section {{#a}} is open here");
  EXPECT_EQ(fault("\n x{{#a}}"), "t.html:2:3: the section {{#a}} is not closed");
  EXPECT_EQ(fault("ab {{x"), "t.html:1:4: \"{{\" without \"}}\"");
  EXPECT_THAT(fault("\n\n <a b={{x}}>"), HasSubstr("t.html:3:7: put the attribute's value in quotes"));
  EXPECT_THAT(fault("<p>\n<a b\"c>"), HasSubstr("t.html:2:5: "));
  for (const char* bad :
       {"{{}}", "{{a b}}", "{{a..b}}", "{{.a}}", "{{#}}{{/}}", "{{>}}", "{{a\"}}", "{{{a}}}"}) {
    EXPECT_THAT(fault(bad), HasSubstr("t.html:1:1: ")) << bad;
  }
}

TEST(HtmlTemplate, BoundsNesting) {
  std::string deep;
  for (int i = 0; i < 32; ++i) deep += "{{#a}}";
  std::string ends;
  for (int i = 0; i < 32; ++i) ends += "{{/a}}";
  EXPECT_EQ(fault(deep + ends), "none");
  EXPECT_THAT(fault("{{#a}}" + deep + ends + "{{/a}}"), HasSubstr("too deeply"));
}

TEST(HtmlTemplate, Partials) {
  const HtmlTemplates pages = HtmlTemplates::compile(
      {{"page.html", "<ul>{{#items}}{{>parts/item.html}}{{/items}}</ul>{{> foot.html }}"},
       {"parts/item.html", "<li>{{name}}</li>"},
       {"foot.html", "<i>{{who}}</i>"}});
  const json::Document document =
      json::Document::parse(R"({"items":[{"name":"<a>"},{"name":"b"}],"who":"me"})");
  std::string out = "before ";
  pages.render("page.html", document.root(), out);
  EXPECT_EQ(out, "before <ul><li>&lt;a&gt;</li><li>b</li></ul><i>me</i>");
  EXPECT_EQ(fault("x\n{{>none.html}}"), "t.html:2:1: there is no template none.html");
  EXPECT_THAT(fault("{{>t.html}}"), HasSubstr("in a circle"));
  EXPECT_THAT(fault_of({{"a", "{{>b}}"}, {"b", "{{#x}}{{>a}}{{/x}}"}}), HasSubstr("in a circle"));
  EXPECT_THAT(fault_of({{"a", ""}, {"a", ""}}), HasSubstr("two templates"));
  EXPECT_THAT(fault_of({{"a", "<p class=\"{{>b}}\">"}, {"b", ""}}), HasSubstr("between tags"));
}

TEST(HtmlTemplate, RefusesToWriteListsAndUnknownTemplates) {
  const auto code_of = [](const std::string& text, std::string_view json) {
    try {
      render_json(text, json);
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + " " + error.message();
    }
    return std::string("none");
  };
  EXPECT_EQ(code_of("a {{x}}", R"({"x":[1]})"), "INTERNAL t.html:1:3: x is an array, not a value");
  EXPECT_EQ(code_of("a {{x}}", R"({"x":{}})"), "INTERNAL t.html:1:3: x is an object, not a value");
  const HtmlTemplates none = HtmlTemplates::compile({});
  EXPECT_THROW(none.render("x", Values{}), Error);
  try {
    render("{{x}}", Values{{"x", std::string(16 * 1024 * 1024, 'x')}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInternal);
  }
}

TEST(HtmlTemplate, LoadsADirectory) {
  const testing::TempDir dir;
  std::filesystem::create_directories(dir.file("parts"));
  std::ofstream(dir.file("a.html")) << "{{>parts/b.html}}{{x}}";
  std::ofstream(dir.file("parts/b.html")) << "B";
  std::ofstream(dir.file("c.txt")) << "{{broken";
  std::ofstream(dir.file(".hidden.html")) << "{{broken";
  EXPECT_EQ(HtmlTemplates::load(dir.path()).render("a.html", Values{{"x", "&"}}), "B&amp;");
  std::ofstream(dir.file("parts/bad.html")) << "\n{{broken";
  EXPECT_THROW(HtmlTemplates::load(dir.path()), Error);
  EXPECT_THROW(HtmlTemplates::load(dir.file("none")), Error);
}

}  // namespace
}  // namespace degu::http
