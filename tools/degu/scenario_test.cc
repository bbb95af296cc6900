#include "scenario.h"

#include <degu/base/error.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace std::chrono_literals;

namespace degu::bench {
namespace {

const Target kTarget = parse_target("http://shop.example/");

std::string rendered(const RequestText& text, const std::vector<std::string>& names = {},
                     const std::vector<std::string>& values = {}) {
  std::string out;
  RequestTemplate(text, kTarget, names).render(values, out);
  return out;
}

// The fields of the faults; a syntax fault has the message instead.
std::set<std::string> faults(std::string_view json) {
  std::set<std::string> found;
  try {
    Scenario::parse(json, kTarget);
  } catch (const Error& error) {
    for (const ErrorDetail& detail : error.details()) found.insert(detail.field);
    if (found.empty()) found.insert(error.message());
  }
  return found;
}

TEST(RequestTemplate, WritesTheBytesOfARequest) {
  EXPECT_EQ(rendered({}), "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
  EXPECT_EQ(rendered({.method = "POST", .path = "/a", .headers = {{"X-A", "b"}}, .body = "hello"}),
            "POST /a HTTP/1.1\r\nHost: shop.example\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(rendered({.method = "PUT"}), "PUT / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(rendered({.headers = {{"host", "other"}}}), "GET / HTTP/1.1\r\nhost: other\r\n\r\n");
}

TEST(RequestTemplate, EscapesValuesForTheirPlace) {
  const std::string value = "a/b \"c\"\r\nX: d?\xc3\xa4";
  const RequestText text{.method = "POST",
                         .path = "/x/${v}?q=${v}",
                         .headers = {{"X-V", "<${v}>"}},
                         .body = R"({"v":"${v}"})",
                         .json_body = true};
  const std::string path = "a%2Fb%20%22c%22%0D%0AX%3A%20d%3F%C3%A4";
  EXPECT_EQ(rendered(text, {"v"}, {value}),
            "POST /x/" + path + "?q=" + path +
                " HTTP/1.1\r\nHost: shop.example\r\nX-V: <a/b \"c\"X: d?\xc3\xa4>\r\n" +
                "Content-Type: application/json\r\nContent-Length: 28\r\n\r\n{\"v\":\"a/b \\\"c\\\"\\r\\nX: "
                "d?\xc3\xa4\"}");
  EXPECT_EQ(rendered({.method = "POST", .body = "${v}$${v}"}, {"v"}, {"<&>"}),
            "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 7\r\n\r\n<&>${v}");
}

Target http2_target(bool tls = false) {
  Target target = kTarget;
  target.http2 = true;
  target.tls = tls;
  return target;
}

std::string listed(const RequestFields& fields) {
  std::string out;
  for (const auto& [name, value] : fields.list) out += name + "=" + value + "|";
  return out + fields.body;
}

TEST(RequestTemplate, WritesTheFieldsOfHttp2) {
  const auto fields = [](const RequestText& text, bool tls = false) {
    return listed(RequestTemplate(text, http2_target(tls), {}).fixed_fields());
  };
  EXPECT_EQ(fields({}), ":method=GET|:scheme=http|:path=/|:authority=shop.example|");
  EXPECT_EQ(fields({}, true), ":method=GET|:scheme=https|:path=/|:authority=shop.example|");
  EXPECT_EQ(
      fields({.method = "POST",
              .path = "/a",
              .headers = {{"X-A", " b\t"}, {"HOST", "other"}, {"TE", "trailers"}, {"X-E", " "}},
              .body = "hello"}),
      ":method=POST|:scheme=http|:path=/a|:authority=other|x-a=b|te=trailers|x-e=|content-length=5|hello");
  EXPECT_EQ(fields({.method = "PUT"}),
            ":method=PUT|:scheme=http|:path=/|:authority=shop.example|content-length=0|");
}

TEST(RequestTemplate, FillsTheFieldsOfHttp2) {
  const RequestTemplate request({.method = "POST",
                                 .path = "/x/${v}",
                                 .headers = {{"X-V", "${v}"}},
                                 .body = R"({"v":"${v}"})",
                                 .json_body = true},
                                http2_target(), {"v"});
  RequestFields out;
  for (int i = 0; i < 2; ++i) {  // in the memory of the first the second time
    request.render({" a\r\n/\"b "}, out);
    EXPECT_EQ(listed(out),
              ":method=POST|:scheme=http|:path=/x/%20a%0D%0A%2F%22b%20|:authority=shop.example|x-v=a/\"b|"
              "content-type=application/json|content-length=19|{\"v\":\" a\\r\\n/\\\"b \"}");
  }
  RequestTemplate({.path = "/${v}"}, http2_target(), {"v"}).render({"1"}, out);
  EXPECT_EQ(listed(out), ":method=GET|:scheme=http|:path=/1|:authority=shop.example|");
}

TEST(RequestTemplate, RefusesForHttp2WhatBelongsToHttp1) {
  for (const auto& header : std::vector<std::pair<std::string, std::string>>{
           {"Keep-Alive", "1"}, {"Proxy-Connection", "close"}, {"Upgrade", "h2c"}, {"TE", "gzip"}}) {
    const RequestText text{.headers = {header}};
    EXPECT_THROW(RequestTemplate(text, http2_target(), {}), Error) << header.first;
    EXPECT_NO_THROW(RequestTemplate(text, kTarget, {})) << header.first;
  }
  EXPECT_THROW(RequestTemplate({.headers = {{"Host", "a"}, {"host", "b"}}}, http2_target(), {}), Error);
}

TEST(RequestTemplate, RefusesWhatWouldBeNoRequest) {
  for (const RequestText& text :
       {RequestText{.method = ""}, RequestText{.method = "GET /x"}, RequestText{.method = "CONNECT"},
        RequestText{.path = ""}, RequestText{.path = "x"}, RequestText{.path = "/a b"},
        RequestText{.path = "/\r\n"}, RequestText{.path = "/${w}"}, RequestText{.path = "/${v"},
        RequestText{.headers = {{"", "a"}}}, RequestText{.headers = {{"A b", "a"}}},
        RequestText{.headers = {{"A", "b\r\nC: d"}}}, RequestText{.headers = {{"Content-Length", "1"}}},
        RequestText{.headers = {{"transfer-encoding", "chunked"}}},
        RequestText{.headers = {{"Connection", "close"}}}}) {
    EXPECT_THROW(RequestTemplate(text, kTarget, {"v"}), Error) << text.method << ' ' << text.path;
  }
}

constexpr std::string_view kShop = R"({
  "headers": {"Accept": "application/json"},
  "variables": {
    "page": {"range": [1, 3], "order": "sequential"},
    "sku": {"list": ["A", 7, true]},
    "key": {"random_hex": 20},
    "token": {"from": "login", "pointer": "/token"}
  },
  "requests": [
    {"name": "login", "weight": 0, "method": "POST", "path": "/sessions", "body": {"email": "a@b", "n": [1, 2.5, null]}},
    {"name": "list", "weight": 3, "path": "/products?page=${page}", "think": "10ms"},
    {"name": "order", "method": "POST", "path": "/orders", "body": "sku=${sku}",
     "headers": {"Authorization": "Bearer ${token}", "Idempotency-Key": "${key}", "accept": "text/plain"}}
  ]
})";

TEST(Scenario, IsReadFromJson) {
  const Scenario scenario = Scenario::parse(kShop, kTarget);
  ASSERT_EQ(scenario.requests().size(), 3u);
  const auto& [login, list, order] =
      std::tie(scenario.requests()[0], scenario.requests()[1], scenario.requests()[2]);
  EXPECT_EQ(login.request.fixed(),
            "POST /sessions HTTP/1.1\r\nHost: shop.example\r\nAccept: application/json\r\nContent-Type: "
            "application/json\r\n"
            "Content-Length: 32\r\n\r\n{\"email\":\"a@b\",\"n\":[1,2.5,null]}");
  EXPECT_EQ(login.gives, std::vector<std::size_t>{3});  // variables are in the order of their names
  EXPECT_EQ(list.think, 10ms);
  EXPECT_TRUE(scenario.thinks());
  EXPECT_EQ(order.request.needs().size(), 3u);
  std::string out;
  order.request.render({"K", "1", "A&B", "t"}, out);
  EXPECT_EQ(out,
            "POST /orders HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer t\r\n"
            "Idempotency-Key: K\r\naccept: text/plain\r\nContent-Length: 7\r\n\r\nsku=A&B");
}

TEST(Scenario, PicksByWeight) {
  const Scenario scenario = Scenario::parse(kShop, kTarget);
  Random random(1);
  std::map<std::size_t, int> picked;
  for (int i = 0; i < 10'000; ++i) ++picked[scenario.pick(random)];
  EXPECT_EQ(picked.count(0), 0u);
  EXPECT_NEAR(picked[1], 7'500, 200);
  EXPECT_NEAR(picked[2], 2'500, 200);
}

TEST(Scenario, DrawsValues) {
  const Scenario scenario = Scenario::parse(kShop, kTarget);
  Random random(1);
  std::string value;
  std::string pages;
  for (int i = 0; i < 7; ++i) {
    scenario.draw(1, random, value);
    pages += value;
  }
  EXPECT_EQ(pages, "1231231");
  std::set<std::string> skus;
  std::set<std::string> keys;
  for (int i = 0; i < 200; ++i) {
    scenario.draw(2, random, value);
    skus.insert(value);
    scenario.draw(0, random, value);
    EXPECT_EQ(value.size(), 20u);
    EXPECT_EQ(value.find_first_not_of("0123456789abcdef"), std::string::npos);
    keys.insert(value);
  }
  EXPECT_EQ(skus, (std::set<std::string>{"A", "7", "true"}));
  EXPECT_EQ(keys.size(), 200u);
}

TEST(Scenario, RangesReachBothEndsOfTheirType) {
  const Scenario scenario = Scenario::parse(
      R"({"variables": {"n": {"range": [-9223372036854775808, 9223372036854775807]}, "m": {"range": [-1, 1]}},
          "requests": [{"name": "a", "path": "/${n}${m}"}]})",
      kTarget);
  Random random(1);
  std::string value;
  std::set<std::string> small;
  for (int i = 0; i < 100; ++i) {
    scenario.draw(1, random, value);
    EXPECT_FALSE(value.empty());
    scenario.draw(0, random, value);
    small.insert(value);
  }
  EXPECT_EQ(small, (std::set<std::string>{"-1", "0", "1"}));
}

TEST(Scenario, SaysWhereAFaultIs) {
  using Fields = std::set<std::string>;
  const auto requests = [](std::string_view entries, std::string_view variables = "{}") {
    return faults("{\"variables\": " + std::string(variables) + ", \"requests\": [" + std::string(entries) +
                  "]}");
  };
  EXPECT_EQ(faults("{}"), Fields{"requests"});
  EXPECT_EQ(requests(""), Fields{"requests"});
  EXPECT_EQ(requests("{}"), (Fields{"requests[0].name", "requests[0].path"}));
  EXPECT_EQ(requests(R"({"name": "a", "path": "/", "colour": 1})"), Fields{"requests[0].colour"});
  EXPECT_EQ(requests(R"({"name": "a", "path": "x"})"), Fields{"requests[0]"});
  EXPECT_EQ(requests(R"({"name": "a", "path": "/"}, {"name": "a", "path": "/"})"),
            Fields{"requests[1].name"});
  EXPECT_EQ(requests(R"({"name": "a", "path": "/", "weight": 0})"), Fields{"requests"});
  EXPECT_EQ(requests(R"({"name": "a", "path": "/", "weight": 2000000})"), Fields{"requests[0].weight"});
  EXPECT_EQ(requests(R"({"name": "a", "path": "/", "think": "soon"})"), Fields{"requests[0].think"});
  EXPECT_EQ(requests(R"({"name": "a", "path": "/${b}"})"), Fields{"requests[0]"});
  const std::string_view a = R"({"name": "a", "path": "/"})";
  EXPECT_EQ(requests(a, R"({"v": {}})"), Fields{"variables.v"});
  EXPECT_EQ(requests(a, R"({"v": {"list": ["a"], "range": [1, 2]}})"), Fields{"variables.v"});
  EXPECT_EQ(requests(a, R"({"v": {"list": []}})"), Fields{"variables.v.list"});
  EXPECT_EQ(requests(a, R"({"v": {"range": [2, 1]}})"), Fields{"variables.v.range"});
  EXPECT_EQ(requests(a, R"({"v": {"random_hex": 0}})"), Fields{"variables.v.random_hex"});
  EXPECT_EQ(requests(a, R"({"v": {"from": "b"}})"), Fields{"variables.v.from"});
  EXPECT_EQ(requests(a, R"({"v": {"from": "a", "pointer": "x"}})"), Fields{"variables.v.pointer"});
  EXPECT_EQ(requests(a, R"({"v": {"list": [1], "order": "backwards"}})"), Fields{"variables.v.order"});
  const auto syntax = faults("{\n  \"requests\": [\n    {\"name\": }\n  ]\n}");
  ASSERT_EQ(syntax.size(), 1u);
  EXPECT_NE(syntax.begin()->find("line 3"), std::string::npos) << *syntax.begin();
}

TEST(Scenario, RefusesRequestsThatNeedEachOther) {
  EXPECT_EQ(
      faults(R"({"variables": {"v": {"from": "a", "pointer": "/x"}, "w": {"from": "b", "pointer": "/x"}},
                       "requests": [{"name": "a", "path": "/${w}"}, {"name": "b", "path": "/${v}"}]})"),
      std::set<std::string>{"requests[0]"});
  EXPECT_EQ(
      faults(
          R"({"variables": {"v": {"from": "a", "pointer": "/x"}}, "requests": [{"name": "a", "path": "/${v}"}]})"),
      std::set<std::string>{"requests[0]"});
}

TEST(FindByPointer, FollowsRfc6901) {
  constexpr std::string_view kText =
      R"({"a": {"b": [10, "x", true, null, 1.5]}, "c/d": 1, "e~f": 2, "": 3, "~1": 4})";
  const auto find = [&](std::string_view pointer) {
    std::string out;
    return find_by_pointer(kText, pointer, out) ? out : "none";
  };
  EXPECT_EQ(find("/a/b/0"), "10");
  EXPECT_EQ(find("/a/b/1"), "x");
  EXPECT_EQ(find("/a/b/2"), "true");
  EXPECT_EQ(find("/a/b/3"), "null");
  EXPECT_EQ(find("/a/b/4"), "1.5");
  EXPECT_EQ(find("/c~1d"), "1");
  EXPECT_EQ(find("/e~0f"), "2");
  EXPECT_EQ(find("/"), "3");
  EXPECT_EQ(find("/~01"), "4");
  for (const char* nowhere : {"", "/a", "/a/b", "/a/b/5", "/a/b/-", "/a/b/x", "/a/b/", "/z", "/c~1d/x"})
    EXPECT_EQ(find(nowhere), "none") << nowhere;
  std::string out;
  EXPECT_FALSE(find_by_pointer("no JSON", "/a", out));
  EXPECT_TRUE(find_by_pointer("7", "", out));
}

}  // namespace
}  // namespace degu::bench
