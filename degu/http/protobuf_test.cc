#include <degu/base/testing/code_of.h>
#include <degu/http/middleware.h>
#include <degu/http/openapi.h>
#include <degu/http/protobuf.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <degu/http/testdata/lite.pb.h>
#include <degu/http/testdata/needed.pb.h>
#include <degu/http/testdata/order.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace degu::http {
namespace {

using testdata::Light;
using testdata::Needed;
using testdata::Order;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kProtobuf = "application/x-protobuf";

struct PutOrder {
  std::string id;
  std::optional<int> revision;
  FromHeader<std::string, "X-Tenant"> tenant;
  FromBody<Order> order;
};
BOOST_DESCRIBE_STRUCT(PutOrder, (), (id, revision, tenant, order))

struct MustPut {
  json::Required<FromBody<Order>> order;
};
BOOST_DESCRIBE_STRUCT(MustPut, (), (order))

Order sample() {
  Order order;
  order.set_id("o-1");
  order.add_items()->set_sku("CT-101");
  order.mutable_items(0)->set_quantity(2);
  order.set_state(testdata::STATE_PAID);
  order.set_total_cents(1'234'567'890'123);
  (*order.mutable_notes())["gift"] = "yes \xC3\xA4";
  return order;
}

// Says what the limits of the route's own are for the rest.
Router router() {
  Router router;
  router.use(recovery());
  router.post("/orders", [](Exchange& c) { c.protobuf(201, c.bind<Order>()); });
  router.post("/needed", [](Exchange& c) { c.protobuf(200, c.bind<Needed>()); });
  router.post("/light", [](Exchange& c) { c.protobuf(200, c.bind<Light>()); });
  router.put("/orders/:id", [](Exchange& c) {
    const auto put = c.bind<PutOrder>();
    c.text(200, put.id + "|" + std::to_string(put.revision.value_or(-1)) + "|" + *put.tenant + "|" +
                    put.order->id() + "|" + std::to_string(put.order->items_size()));
  });
  router.post("/must", [](Exchange& c) { c.text(200, c.bind<MustPut>().order.value->id()); });
  router.get("/unsendable", [](Exchange& c) { c.protobuf(200, Needed()); });
  router.get("/empty", [](Exchange& c) { c.protobuf(200, Order()); });
  return router;
}

Response post(std::string_view path, std::string_view body, const Headers& headers) {
  return test::call(router(), "POST", path, body, headers);
}

Response post(std::string_view path, std::string_view body, const std::string& type = kProtobuf) {
  return post(path, body, Headers{{"Content-Type", type}});
}

Order parsed(const Response& response) {
  Order order;
  EXPECT_TRUE(order.ParseFromString(std::string(response.body)));
  return order;
}

// --- Reading

TEST(Protobuf, BindsAMessageInItsFormat) {
  const Order order = sample();
  for (const char* type : {kProtobuf, "application/protobuf", "Application/X-Protobuf; messageType=Order"}) {
    const Response response = post("/orders", order.SerializeAsString(), type);
    EXPECT_EQ(response.status, 201);
    EXPECT_EQ(response.header("content-type"), kProtobuf);
    EXPECT_EQ(parsed(response).SerializeAsString(), order.SerializeAsString());
  }
}

TEST(Protobuf, BindsAMessageInJson) {
  const std::string text =
      R"({"id":"o-1","items":[{"sku":"CT-101","quantity":2}],"state":"STATE_PAID","total_cents":"1234567890123",)"
      R"("notes":{"gift":"yes ä"}})";
  for (const char* type : {"application/json", "application/vnd.shop+json; charset=utf-8"}) {
    const Response response = post("/orders", text, type);
    EXPECT_EQ(response.status, 201) << response.body;
    EXPECT_EQ(parsed(response).SerializeAsString(), sample().SerializeAsString());
  }
}

TEST(Protobuf, AnEmptyBodyIsAMessageWithoutFields) {
  EXPECT_EQ(post("/orders", "").status, 201);
  EXPECT_EQ(post("/orders", "", Headers{}).status, 201);
  EXPECT_EQ(post("/orders", "", "application/json").status, 201);
  EXPECT_EQ(post("/must", "").status, 200);
  EXPECT_EQ(post("/must", "", Headers{}).status, 400);
  EXPECT_EQ(post("/needed", "").status, 400);
  EXPECT_EQ(post("/needed", "", Headers{}).status, 400);
}

TEST(Protobuf, KeepsFieldsThatItDoesNotKnow) {
  const std::string unknown("\xF8\x07\x2A", 3);  // field 127: 42
  EXPECT_EQ(post("/orders", sample().SerializeAsString() + unknown).body,
            sample().SerializeAsString() + unknown);
}

TEST(Protobuf, RefusesBodiesOfAnotherType) {
  const std::string body = sample().SerializeAsString();
  for (const char* type :
       {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/octet-stream", "protobuf", "application/x-protobuf2"}) {
    const Response response = post("/orders", body, type);
    EXPECT_EQ(response.status, 415) << type;
    EXPECT_EQ(response.header("content-type"), "application/problem+json");
  }
  // What browsers send to other sites without asking them need not have a type.
  EXPECT_EQ(post("/orders", body, Headers{}).status, 415);
  EXPECT_EQ(post("/light", "{}", "application/json").status, 415);
}

TEST(Protobuf, RefusesWhatIsNoSuchMessage) {
  const std::string good = sample().SerializeAsString();
  for (const std::string& body :
       {good.substr(0, good.size() - 1), std::string("\x0A\xFF\xFF\xFF\xFF\x0F"), std::string("\x0A\x05x"),
        std::string(11, '\xFF'), std::string("\x0A\x01\xFF", 3) /* no UTF-8 */, std::string("\x0C", 1),
        std::string("\x00\x00", 2), good + "\x0B"}) {
    ::testing::internal::CaptureStderr();
    const Response response = post("/orders", body);
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), IsEmpty());
    EXPECT_EQ(response.status, 400);
    EXPECT_THAT(std::string(response.body), HasSubstr("degu.http.testdata.Order"));
  }
}

TEST(Protobuf, EveryPrefixAndEveryFlippedBitIsBorne) {
  const std::string good = sample().SerializeAsString();
  for (std::size_t i = 0; i <= good.size(); ++i) {
    const int status = post("/orders", good.substr(0, i)).status;
    EXPECT_TRUE(status == 201 || status == 400) << status;
  }
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string changed = good;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const int status = post("/orders", changed).status;
    EXPECT_TRUE(status == 201 || status == 400) << status;
  }
}

Order nested(int depth) {
  Order order;
  Order* at = &order;
  for (int i = 1; i < depth; ++i) at = at->mutable_replaces();
  at->set_id("x");
  return order;
}

TEST(Protobuf, LimitsDepthAndSize) {
  EXPECT_EQ(post("/orders", nested(60).SerializeAsString()).status, 201);
  EXPECT_EQ(post("/orders", nested(70).SerializeAsString()).status, 400);
  std::string bomb;
  for (int i = 0; i < 100'000; ++i) bomb += "\x2B";  // groups, never ended
  EXPECT_EQ(post("/orders", bomb).status, 400);
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += R"({"replaces":)";
  EXPECT_EQ(post("/orders", deep, "application/json").status, 400);
  Router small;
  small.post("/", [](Exchange& c) { c.protobuf(200, c.bind<Order>()); }, {.max_body_bytes = 8});
  EXPECT_EQ(
      test::call(small, "POST", "/", sample().SerializeAsString(), {{"Content-Type", kProtobuf}}).status,
      413);
}

TEST(Protobuf, NamesTheFaultsOfJson) {
  const auto errors = [](std::string_view text) {
    const Response response = post("/orders", text, "application/json");
    EXPECT_EQ(response.status, 400) << text;
    EXPECT_EQ(response.header("content-type"), "application/problem+json");
    return std::string(response.body);
  };
  EXPECT_THAT(errors(R"({"items":[{"quantity":"many"}]})"), HasSubstr(R"("field":"items[0].quantity")"));
  EXPECT_THAT(errors(R"({"nobody":1})"), HasSubstr("nobody"));
  EXPECT_THAT(errors(R"({"state":"STATE_LOST"})"), HasSubstr("STATE_LOST"));
  EXPECT_THAT(errors(R"({"items":[{"quantity":3000000000}]})"), HasSubstr("items[0].quantity"));
  errors(R"({"id":"a","id":"b"})");
  errors(R"({"id":)");
  errors(R"([1])");
  errors("{\"id\":\"\xFF\"}");
}

TEST(Protobuf, NamesRequiredFieldsThatAreMissing) {
  Needed needed;
  needed.add_points()->set_x(1);
  const std::string bytes = needed.SerializePartialAsString();
  const Response response = post("/needed", bytes);
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(std::string(response.body), HasSubstr(R"({"field":"name","reason":"is required"})"));
  EXPECT_THAT(std::string(response.body), HasSubstr(R"({"field":"points[0].y","reason":"is required"})"));
  // Of JSON the first one is told.
  const auto of_json = [](std::string_view text) {
    return std::string(post("/needed", text, "application/json").body);
  };
  EXPECT_THAT(of_json(R"({"points":[]})"), HasSubstr(R"([{"field":"name","reason":"is required"}])"));
  EXPECT_THAT(of_json(R"({"name":"n","points":[{"x":1,"y":2},{"x":1}]})"),
              HasSubstr(R"([{"field":"points[1].y","reason":"is required"}])"));
  Light light;
  light.mutable_inner()->set_name("x");
  EXPECT_EQ(post("/light", light.SerializePartialAsString()).status, 400);
}

// --- In a struct

TEST(Protobuf, AFromBodyMemberIsTheWholeBody) {
  const auto put = [](std::string_view body, const Headers& headers) {
    return test::call(router(), "PUT", "/orders/7?revision=3", body, headers);
  };
  EXPECT_EQ(put(sample().SerializeAsString(), {{"Content-Type", kProtobuf}, {"X-Tenant", "t"}}).body,
            "7|3|t|o-1|1");
  EXPECT_EQ(put(R"({"id":"j","items":[{},{}]})", {{"Content-Type", "application/json"}}).body, "7|3||j|2");
  EXPECT_EQ(put("", {}).body, "7|3|||0");
  EXPECT_EQ(put("id=7", {{"Content-Type", "application/x-www-form-urlencoded"}}).status, 415);
  EXPECT_EQ(put("\x0A\x05x", {{"Content-Type", kProtobuf}}).status, 400);
  EXPECT_EQ(post("/must", sample().SerializeAsString()).body, "o-1");
  EXPECT_THAT(std::string(post("/must", "", Headers{}).body),
              HasSubstr(R"("field":"order","reason":"is required")"));
}

// --- Answering

TEST(Protobuf, AnswersAsTheClientLikes) {
  const auto answer = [](const std::string& accept) {
    return post("/orders", sample().SerializeAsString(), {{"Content-Type", kProtobuf}, {"Accept", accept}});
  };
  for (const char* accept :
       {"*/*", "application/*", "application/x-protobuf", "application/json;q=0.5, */*"}) {
    EXPECT_EQ(answer(accept).header("content-type"), kProtobuf) << accept;
    EXPECT_EQ(answer(accept).header("vary"), "Accept");
  }
  EXPECT_EQ(answer("application/protobuf").header("content-type"), "application/protobuf");
  EXPECT_EQ(parsed(answer("application/protobuf")).id(), "o-1");
  for (const char* accept : {"application/json", "application/json, application/x-protobuf;q=0.9"}) {
    const Response response = answer(accept);
    EXPECT_EQ(response.status, 201);
    EXPECT_EQ(response.header("content-type"), "application/json") << accept;
    EXPECT_EQ(response.body, R"({"id":"o-1","items":[{"sku":"CT-101","quantity":2}],"state":"STATE_PAID",)"
                             R"("totalCents":"1234567890123","notes":{"gift":"yes ä"}})");
  }
  EXPECT_EQ(answer("text/html").status, 406);
  EXPECT_EQ(test::call(router(), "GET", "/empty").body, "");
  EXPECT_EQ(test::call(router(), "GET", "/empty", "", {{"Accept", "application/json"}}).body, "{}");
}

TEST(Protobuf, LiteMessagesHaveNoJson) {
  Light light;
  light.set_name("x");
  const auto answer = [&](const std::string& accept) {
    return post("/light", light.SerializeAsString(), {{"Content-Type", kProtobuf}, {"Accept", accept}});
  };
  EXPECT_EQ(answer("*/*").body, light.SerializeAsString());
  EXPECT_EQ(answer("application/protobuf").header("content-type"), "application/protobuf");
  EXPECT_EQ(answer("application/json").status, 406);
}

TEST(Protobuf, WhatCannotBeSentIsAFailureOfOurs) {
  const Response response = test::call(router(), "GET", "/unsendable");
  EXPECT_EQ(response.status, 500);
  EXPECT_THAT(std::string(response.body), Not(HasSubstr("Needed")));
}

// --- OpenAPI

TEST(Protobuf, IsInTheOpenApiDocument) {
  Router router;
  const auto nothing = [](Exchange&) {};
  router.post("/orders", nothing, {.operation = operation<Order, Order>("Places an order")});
  router.post("/light", nothing, {.operation = operation<Light, Light>("Lite")});
  router.put("/orders/:id", nothing, {.operation = operation<PutOrder, void>("Replaces one")});
  router.post("/must", nothing, {.operation = operation<MustPut, void>("Must have one")});
  const std::string text = openapi_document(router, {});
  constexpr const char* kOrder = R"({"schema":{"type":"object","title":"degu.http.testdata.Order"}})";
  constexpr const char* kLight = R"({"schema":{"type":"object","title":"degu.http.testdata.Light"}})";
  const std::string order_content = std::string(R"("content":{"application/x-protobuf":)") + kOrder +
                                    R"(,"application/protobuf":)" + kOrder + R"(,"application/json":)" +
                                    kOrder + "}";
  const std::string light_content = std::string(R"("content":{"application/x-protobuf":)") + kLight +
                                    R"(,"application/protobuf":)" + kLight + "}";
  const auto part = [&](std::string_view path) {
    const std::size_t begin = text.find("\"" + std::string(path) + "\":{\"");
    EXPECT_NE(begin, std::string::npos) << path;
    return text.substr(begin, text.find("\"default\"", begin) - begin);
  };
  EXPECT_THAT(part("/orders"), HasSubstr("\"requestBody\":{\"required\":true," + order_content + "}"));
  EXPECT_THAT(part("/orders"), HasSubstr("\"200\":{\"description\":\"OK\"," + order_content + "}"));
  EXPECT_THAT(part("/light"), HasSubstr("\"requestBody\":{\"required\":true," + light_content + "}"));
  EXPECT_THAT(part("/orders/{id}"), HasSubstr("\"requestBody\":{" + order_content + "}"));
  EXPECT_THAT(part("/orders/{id}"), HasSubstr(R"({"name":"revision","in":"query")"));
  EXPECT_THAT(part("/orders/{id}"), HasSubstr(R"({"name":"id","in":"path")"));
  EXPECT_THAT(part("/must"), HasSubstr("\"requestBody\":{\"required\":true," + order_content + "}"));
}

}  // namespace
}  // namespace degu::http
