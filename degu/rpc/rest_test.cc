#include <degu/base/error.h>
#include <degu/http/middleware.h>
#include <degu/http/openapi.h>
#include <degu/http/test_call.h>
#include <degu/rpc/rest.h>
#include <degu/rpc/testdata/kitchen.degu.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace degu::rpc::testdata {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Things : ThingService {
  GetThingRequest got;
  CreateThingRequest created;
  RenameThingRequest renamed;
  FindRequest found;
  std::string user;

  Thing get_thing(const GetThingRequest& request) override {
    got = request;
    user = metadata().get("x-user-id");
    if (request.id == "missing") throw Error(Code::kNotFound, "no thing");
    if (request.id == "broken") throw std::runtime_error("secret");
    Thing thing;
    thing.id = request.id;
    thing.size = 5;
    return thing;
  }
  Thing create_thing(const CreateThingRequest& request) override {
    created = request;
    user = metadata().get("x-user-id");
    return *request.thing;
  }
  Thing rename_thing(const RenameThingRequest& request) override {
    renamed = request;
    return {};
  }
  FindResponse find(const FindRequest& request) override {
    found = request;
    FindResponse response;
    response.things.emplace_back().id = "a";
    return response;
  }
  Empty delete_(const Empty&) override { return {}; }
  Nothing internal(const Rules&) override { return {}; }
};

// A fresh service behind its routes; `authorization: user` logs in, `authorization: bad` is refused.
class RestTest : public testing::Test {
 protected:
  RestTest() {
    router_.use(http::recovery());
    RestOptions options;
    options.authenticator = make_authenticator([](http::Exchange& exchange, Metadata& metadata) {
      const std::string_view who = exchange.header("authorization");
      if (who == "bad") throw Error(Code::kUnauthenticated, "expired");
      if (who.empty()) return false;
      metadata.set("x-user-id", std::string(who));
      return true;
    });
    mount(router_, things_, options);
  }

  http::Response call(std::string_view method, std::string_view target, std::string_view body = {},
                      const Headers& headers = {}) {
    http::Response response;
    degu::run([&] { response = http::test::call(router_, method, target, body, headers); });
    return response;
  }

  http::Router router_;
  Things things_;
};

bool mentions(const http::Response& response, std::string_view text) {
  return response.body.find(text) != std::string::npos;
}

TEST_F(RestTest, PathAndQuery) {
  const auto response = call("GET",
                             "/v1/things/a%20b?verbose=true&levels=1&levels=2&near.x=3&colour=COLOUR_RED&"
                             "since=2026-01-02T03:04:05Z");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.header("content-type"), "application/json");
  EXPECT_EQ(response.body, R"({"id":"a b","name":"","size":"5","tags":[],"colour":"COLOUR_UNSPECIFIED"})");
  EXPECT_EQ(things_.got.id, "a b");
  EXPECT_TRUE(things_.got.verbose);
  EXPECT_EQ(things_.got.levels, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(things_.got.near->x, 3);
  EXPECT_EQ(things_.got.colour, shared::Colour::kRed);
  EXPECT_TRUE(things_.got.since);
}

TEST_F(RestTest, AdditionalBindingsAndOtherVerbs) {
  EXPECT_EQ(call("GET", "/v1/old/things/7").status, 200);
  EXPECT_EQ(things_.got.id, "7");
  EXPECT_EQ(call("REPORT", "/v1/things/8").status, 200);
  EXPECT_EQ(things_.got.id, "8");
}

TEST_F(RestTest, QueryFaultsAllAtOnce) {
  const auto response =
      call("GET", "/v1/things/1?verbose=maybe&verbose=true&levels=x&levels=1&near.x=1000&near=5&nope=1&id=2");
  EXPECT_EQ(response.status, 400) << response.body;
  EXPECT_EQ(response.header("content-type"), "application/problem+json");
  for (const char* part :
       {"must be true or false", "\"verbose\"", "is given more than once", "\"levels\"", "near.x",
        "between -100 and 100", "\"near\"", "is not a known query parameter", "\"nope\"", "\"id\""}) {
    EXPECT_TRUE(mentions(response, part)) << part << " in " << response.body;
  }
}

TEST_F(RestTest, BodyIsAField) {
  const auto response = call("POST", "/v1/shelves/s1/things?dry=true", R"({"id":"t","size":"12"})",
                             {{"authorization", "ann"}, {"Idempotency-Key", "k1"}});
  EXPECT_EQ(response.status, 201) << response.body;
  EXPECT_EQ(things_.created.shelf, "s1");
  EXPECT_TRUE(things_.created.dry);
  EXPECT_EQ(things_.created.idempotency_key, "k1");
  EXPECT_EQ(things_.created.thing->size, 12);
  EXPECT_EQ(things_.user, "ann");
}

TEST_F(RestTest, HeaderFieldsComeFromTheHeaderOnly) {
  const Headers user = {{"authorization", "ann"}};
  auto response =
      call("POST", "/v1/shelves/s/things?idempotency_key=smuggled", R"({"name":5,"point":{"x":500}})", user);
  EXPECT_EQ(response.status, 400) << response.body;
  EXPECT_TRUE(mentions(response, "is required (header Idempotency-Key)")) << response.body;
  EXPECT_TRUE(mentions(response, "thing.name")) << response.body;
  EXPECT_TRUE(mentions(response, "thing.point.x")) << response.body;
  response =
      call("POST", "/v1/shelves/s/things", "{}", {{"authorization", "ann"}, {"idempotency-key", "a b"}});
  EXPECT_EQ(response.status, 400);
  response =
      call("POST", "/v1/shelves/s/things", "{}", {{"authorization", "ann"}, {"idempotency-key", "\xc3\x28"}});
  EXPECT_EQ(response.status, 400);
}

TEST_F(RestTest, MissingBodyIsAMissingField) {
  const auto response =
      call("POST", "/v1/shelves/s/things", "", {{"authorization", "ann"}, {"idempotency-key", "k"}});
  EXPECT_EQ(response.status, 400);
  EXPECT_TRUE(mentions(response, "is required")) << response.body;
}

TEST_F(RestTest, CustomVerbWithWholeBody) {
  auto response = call("POST", "/v1/things/9:rename", R"({"name":"n","priority":3,"id":"other"})");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(things_.renamed.id, "9");
  EXPECT_EQ(things_.renamed.name, "n");
  response = call("POST", "/v1/things/9:rename?other=1", R"({"name":7,"priority":10,"nope":1})");
  EXPECT_EQ(response.status, 400);
  for (const char* part :
       {"must be a string", "between 0 and 9", "is not a known field", "is not a known query parameter"}) {
    EXPECT_TRUE(mentions(response, part)) << part << " in " << response.body;
  }
  EXPECT_FALSE(mentions(response, "is required")) << "one fault a field: " << response.body;
}

TEST_F(RestTest, MalformedBodies) {
  for (const char* body :
       {"{", "[1,2]", "{\"name\":\"a\",\"name\":\"b\"}", "{\"name\":\"\xff\"}", "{\"name\":\"a\"}x"}) {
    EXPECT_EQ(call("POST", "/v1/things/9:rename", body, {{"content-type", "application/json"}}).status, 400)
        << body;
  }
}

TEST_F(RestTest, NestedPathRestAndResponseBody) {
  const auto response = call("GET", "/v1/find/t1/in/a/b/c?thing.name=n");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(things_.found.thing->id, "t1");
  EXPECT_EQ(things_.found.thing->name, "n");
  EXPECT_EQ(things_.found.rest, "a/b/c");
  EXPECT_TRUE(response.body.starts_with(R"([{"id":"a")")) << response.body;
}

TEST_F(RestTest, EmptyMessages) {
  const auto response = call("DELETE", "/v1/everything");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "{}");
}

TEST_F(RestTest, Authentication) {
  const std::string body = "{}";
  EXPECT_EQ(call("POST", "/v1/shelves/s/things", body).status, 401);
  EXPECT_EQ(call("POST", "/v1/shelves/s/things", "not json", {{"authorization", "bad"}}).status, 401);
  // Open routes take callers whose credentials are bad for strangers.
  EXPECT_EQ(call("GET", "/v1/things/1", {}, {{"authorization", "bad"}}).status, 200);
  EXPECT_EQ(things_.user, "");
  EXPECT_EQ(call("GET", "/v1/things/1", {}, {{"authorization", "bob"}}).status, 200);
  EXPECT_EQ(things_.user, "bob");
}

TEST_F(RestTest, ErrorsBecomeProblems) {
  const auto missing = call("GET", "/v1/things/missing");
  EXPECT_EQ(missing.status, 404);
  EXPECT_TRUE(mentions(missing, "no thing"));
  const auto broken = call("GET", "/v1/things/broken");
  EXPECT_EQ(broken.status, 500);
  EXPECT_FALSE(mentions(broken, "secret")) << broken.body;
}

TEST(Rest, AuthRoutesNeedAnAuthenticator) {
  http::Router router;
  Things things;
  EXPECT_THROW(mount(router, things), Error);
}

TEST(Rest, InterceptorsSurroundTheCall) {
  http::Router router;
  Things things;
  std::string seen;
  RestOptions options;
  options.authenticator = make_authenticator([](http::Exchange&, Metadata&) { return false; });
  options.interceptors = {make_interceptor([&](const CallInfo& info, const Next& next) {
    seen = info.method;
    next();
  })};
  mount(router, things, options);
  EXPECT_EQ(http::test::call(router, "GET", "/v1/things/1").status, 200);
  EXPECT_EQ(seen, "GetThing");
}

TEST_F(RestTest, DescribesItsRoutes) {
  const std::string document = http::openapi_document(router_, {});
  const auto has = [&](std::string_view text) { return document.find(text) != std::string::npos; };
  EXPECT_NO_THROW(json::Document::parse(document));
  // The additional binding has an id of its own; REPORT is no method of OpenAPI.
  EXPECT_TRUE(has(
      R"("/v1/things/{id}":{"get":{"operationId":"ThingService_GetThing","summary":"One thing",)"
      R"("tags":["ThingService"],"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}},)"
      R"({"name":"verbose","in":"query","schema":{"type":"boolean"}},)"
      R"({"name":"levels","in":"query","schema":{"type":"array","items":{"type":"integer","format":"int32"}}},)"
      R"({"name":"near.x","in":"query","schema":{"type":"integer","format":"int32","minimum":-100,"maximum":100}},)"))
      << document;
  EXPECT_TRUE(has(R"("operationId":"ThingService_GetThing_2")"));
  EXPECT_FALSE(has("ThingService_GetThing_3"));
  // One field as the body, the rest from path, query and header.
  EXPECT_TRUE(has(
      R"("operationId":"ThingService_CreateThing","summary":"Create thing","tags":["ThingService"],)"
      R"("security":[{"bearer":[]}],"parameters":[{"name":"shelf","in":"path","required":true,"schema":{"type":"string"}},)"
      R"({"name":"dry","in":"query","schema":{"type":"boolean"}},{"name":"Idempotency-Key","in":"header","required":true,)"
      R"("schema":{"type":"string","minLength":1,"pattern":"^(?:[!-~]+)?$"}}],)"
      R"("requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/ThingInput"}}}})"))
      << document;
  // What the path gives is no part of the body.
  EXPECT_TRUE(has(
      R"({"schema":{"type":"object","properties":{"name":{"type":"string","minLength":1},)"
      R"("priority":{"type":"integer","format":"int32","minimum":0,"maximum":9}},"required":["name"],"additionalProperties":false}})"))
      << document;
  EXPECT_TRUE(has(R"({"schema":{"type":"array","items":{"$ref":"#/components/schemas/Thing"}}})"))
      << document;
}

template <class Message>
std::string schema_of(json::SchemaUse use, std::string_view name) {
  json::SchemaSet schemas("#/", {});
  for (const bool last : {false, true}) {
    std::string text;
    json::Writer writer(text);
    schemas.write<Message>(writer, use);
    if (!last) schemas.settle();
  }
  return schemas.components().at(std::string(name));
}

TEST(MessageSchemaTest, RulesHoldForWhatIsRead) {
  const std::string read = schema_of<Rules>(json::SchemaUse::kRead, "Rules");
  for (
      const std::string_view part :
      {R"("name":{"type":"string","minLength":3,"maxLength":5})",
       R"("code":{"type":"string","pattern":"^(?:[A-Z]{2}-[0-9]+)?$","description":"must look like AB-1"})",
       R"("big":{"type":"string","format":"uint64","pattern":"^[0-9]+$","description":"At most 1000"})",
       R"("tags":{"type":"array","items":{"type":"string","pattern":"^(?:[a-z]+)?$"},"maxItems":2})",
       R"("levels":{"type":"array","items":{"type":"integer","format":"int32","minimum":0},"minItems":1})",
       R"("point":{"$ref":"#/Point"})",
       R"("named":{"type":"object","additionalProperties":{"$ref":"#/Point"}})",
       R"("blob":{"type":"string","contentEncoding":"base64","minLength":3})",
       // 0 and empty bytes break their rules, so these have to be given although they are not (degu.required).
       R"("required":["name","quantity","ratio","levels","point","note","blob"],"additionalProperties":false)"}) {
    EXPECT_NE(read.find(part), std::string::npos) << part << "\n" << read;
  }
}

TEST(MessageSchemaTest, WhatIsWrittenHasAllButAbsentOptionals) {
  const std::string written = schema_of<Rules>(json::SchemaUse::kWrite, "Rules");
  EXPECT_EQ(written.find("minLength"), std::string::npos) << written;
  EXPECT_NE(
      written.find(
          R"("required":["name","code","quantity","ratio","big","tags","levels","points","named","blob"]})"),
      std::string::npos)
      << written;
  const std::string optionals = schema_of<Optionals>(json::SchemaUse::kWrite, "Optionals");
  EXPECT_EQ(optionals.find("required"), std::string::npos) << optionals;
  EXPECT_NE(optionals.find(R"("at":{"type":"string","format":"date-time"})"), std::string::npos) << optionals;
}

TEST(MessageSchemaTest, AMessageWithinItselfEnds) {
  const std::string tree = schema_of<Tree>(json::SchemaUse::kWrite, "Tree");
  EXPECT_NE(tree.find(R"("children":{"type":"array","items":{"$ref":"#/Tree"}})"), std::string::npos) << tree;
}

}  // namespace
}  // namespace degu::rpc::testdata
