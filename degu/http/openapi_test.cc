#include <degu/http/openapi.h>
#include <degu/http/test_call.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace degu::http {

enum class Colour { red, green };
BOOST_DESCRIBE_ENUM(Colour, red, green)

struct Tree {
  json::Required<std::string> label;
  Colour colour = Colour::red;
  std::vector<Tree> children;
};
BOOST_DESCRIBE_STRUCT(Tree, (), (label, colour, children))

struct GetTree {
  int64_t id = 0;
  std::optional<uint16_t> depth;
  std::vector<Colour> colours;
  std::map<std::string, int> unusable;
  json::Required<FromHeader<std::string, "X-Tenant">> tenant;
  FromHeader<std::vector<int>, "X-List"> list;
  FromCookie<std::optional<bool>, "wide"> wide;
};
BOOST_DESCRIBE_STRUCT(GetTree, (), (id, depth, colours, unusable, tenant, list, wide))

struct PutTree {
  std::string id;
  json::Required<Tree> tree;
};
BOOST_DESCRIBE_STRUCT(PutTree, (), (id, tree))

struct Login {
  json::Required<std::string> name;
  std::optional<double> weight;
};
BOOST_DESCRIBE_STRUCT(Login, (), (name, weight))

struct Picture {
  json::Required<UploadedFile> file;
  std::vector<UploadedFile> more;
  std::string title;
};
BOOST_DESCRIBE_STRUCT(Picture, (), (file, more, title))

namespace other {
struct Tree {
  std::vector<std::optional<int>> x;
  std::map<std::string, Login> logins;
};
BOOST_DESCRIBE_STRUCT(Tree, (), (x, logins))
struct Problem {
  bool bad = false;
};
BOOST_DESCRIBE_STRUCT(Problem, (), (bad))
}  // namespace other

namespace {

using json::Document;
using json::Value;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

void nothing(Exchange& c) { c.empty(204); }

Router trees() {
  Router router;
  router.get(
      "/trees/:id", nothing,
      {.operation =
           operation<GetTree, Tree>("Finds a tree").tag("trees").error(404, "no such tree").error(409)});
  router.put("/trees/:name", nothing,
             {.operation = operation<PutTree, void>("Plants a tree").tag("trees").id("plant")});
  router.post("/trees/:id:water", nothing,
              {.operation = operation<void, other::Tree>("Waters").status(202).deprecated()});
  router.post("/login", nothing,
              {.operation = operation<Login, Login>("Logs in").description("With *care*.")});
  router.post("/pictures", nothing, {.operation = operation<Picture, void>("Takes pictures")});
  router.get("/files/*path", nothing,
             {.operation = operation<void, void>("Gives a file").produces("image/png")});
  router.del("/x", nothing, {.operation = operation<other::Problem, other::Problem>("Problems \"quoted\"")});
  router.get("/hidden", nothing);
  router.handle("PURGE", "/x", nothing, {.operation = operation<void, void>("No method of OpenAPI")});
  return router;
}

// The value behind a reference or a path of keys, "/" within keys as "~1" (RFC 6901).
std::optional<Value> at(Value value, std::string_view pointer) {
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    std::string key(pointer.substr(0, pointer.find('/')));
    pointer.remove_prefix(key.size());
    for (std::size_t i = key.find("~1"); i != std::string::npos; i = key.find("~1")) key.replace(i, 2, "/");
    const auto next = value.find(key);
    if (!next) return std::nullopt;
    value = *next;
  }
  return value;
}

void print(json::Writer& writer, Value value) {
  switch (value.type()) {
    case json::Type::kObject:
      writer.begin_object();
      value.each_member([&](std::string_view key, Value member) {
        writer.key(key);
        print(writer, member);
      });
      return writer.end_object();
    case json::Type::kArray:
      writer.begin_array();
      value.each_element([&](Value element) { print(writer, element); });
      return writer.end_array();
    case json::Type::kString:
      return writer.value(*value.string());
    case json::Type::kNumber:
      if (const auto number = value.int64()) return writer.value(*number);
      if (const auto number = value.uint64()) return writer.value(*number);
      return writer.value(*value.number());
    case json::Type::kBool:
      return writer.value(*value.boolean());
    case json::Type::kNull:
      return writer.value(nullptr);
  }
}

std::string text_at(const Document& document, std::string_view pointer) {
  const auto value = at(document.root(), pointer);
  if (!value) return "nothing";
  std::string text;
  json::Writer writer(text);
  print(writer, *value);
  return text;
}

void collect_references(Value value, std::vector<std::string>& found) {
  value.each_member([&](std::string_view key, Value member) {
    if (key == "$ref") found.emplace_back(member.string().value_or("no text"));
    collect_references(member, found);
  });
  value.each_element([&](Value element) { collect_references(element, found); });
}

std::vector<std::string> keys_at(const Document& document, std::string_view pointer) {
  std::vector<std::string> keys;
  const auto value = at(document.root(), pointer);
  if (value) value->each_member([&](std::string_view key, Value) { keys.emplace_back(key); });
  return keys;
}

// What OpenAPI 3.1 asks of a document beyond its grammar.
void check_structure(const Document& document) {
  std::vector<std::string> references;
  collect_references(document.root(), references);
  for (const std::string& reference : references) {
    ASSERT_EQ(reference.front(), '#');
    EXPECT_TRUE(at(document.root(), reference.substr(1))) << reference;
  }
  for (const std::string& name : keys_at(document, "/components/schemas")) {
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"),
              std::string::npos)
        << name;
  }
  std::set<std::string> ids;
  at(document.root(), "/paths")->each_member([&](std::string_view path, Value item) {
    EXPECT_EQ(path.front(), '/');
    std::set<std::string> in_template;
    for (std::size_t i = path.find('{'); i != std::string_view::npos; i = path.find('{', i + 1)) {
      in_template.emplace(path.substr(i + 1, path.find('}', i) - i - 1));
    }
    item.each_member([&](std::string_view, Value operation) {
      EXPECT_TRUE(ids.emplace(*operation.find("operationId")->string()).second);
      EXPECT_TRUE(operation.find("responses") && operation.find("responses")->size() > 0);
      std::set<std::string> declared;
      std::set<std::string> unique;
      operation.find("parameters")->each_element([&](Value parameter) {
        const std::string in(*parameter.find("in")->string());
        const std::string name(*parameter.find("name")->string());
        EXPECT_TRUE(unique.insert(in + " " + name).second);
        EXPECT_TRUE(parameter.find("schema"));
        if (in != "path") return;
        declared.insert(name);
        EXPECT_EQ(parameter.find("required")->boolean(), true);
      });
      EXPECT_EQ(declared, in_template) << path;
    });
  });
}

TEST(OpenApi, IsSound) {
  const Document document = Document::parse(openapi_document(trees(), {.title = "Trees", .version = "2"}));
  check_structure(document);
  EXPECT_EQ(text_at(document, "/openapi"), R"("3.1.0")");
  EXPECT_EQ(text_at(document, "/info"), R"({"title":"Trees","version":"2"})");
  EXPECT_EQ(text_at(document, "/tags"), R"([{"name":"trees"}])");
  EXPECT_EQ(text_at(document, "/servers"), "nothing");
  EXPECT_THAT(keys_at(document, "/paths"),
              ElementsAre("/files/{path}", "/login", "/pictures", "/trees/{id}", "/trees/{id}:water", "/x"));
  EXPECT_THAT(keys_at(document, "/paths/~1trees~1{id}"), ElementsAre("get", "put"));
  EXPECT_THAT(keys_at(document, "/paths/~1x"), ElementsAre("delete"));
}

TEST(OpenApi, IsTheSameWhateverTheOrderOfRegistration) {
  Router reversed;
  const auto first = operation<GetTree, Tree>("a");
  const auto second = operation<other::Tree, Login>("b");
  reversed.post("/b", nothing, {.operation = second});
  reversed.get("/a", nothing, {.operation = first});
  Router straight;
  straight.get("/a", nothing, {.operation = first});
  straight.post("/b", nothing, {.operation = second});
  EXPECT_EQ(openapi_document(straight, {}), openapi_document(reversed, {}));
}

TEST(OpenApi, AnEmptyRouterHasADocument) {
  const Document document = Document::parse(openapi_document(Router(), {}));
  check_structure(document);
  EXPECT_EQ(text_at(document, "/paths"), "{}");
  EXPECT_THAT(keys_at(document, "/components/schemas"), ElementsAre("Problem"));
}

TEST(OpenApi, PlacesParameters) {
  const Document document = Document::parse(openapi_document(trees(), {}));
  EXPECT_EQ(
      text_at(document, "/paths/~1trees~1{id}/get/parameters"),
      R"([{"name":"id","in":"path","required":true,"schema":{"type":"integer","format":"int64","minimum":-9223372036854775808,"maximum":9223372036854775807}},)"
      R"({"name":"depth","in":"query","schema":{"type":"integer","minimum":0,"maximum":65535}},)"
      R"({"name":"colours","in":"query","schema":{"type":"array","items":{"type":"string","enum":["red","green"]}}},)"
      R"({"name":"X-Tenant","in":"header","required":true,"schema":{"type":"string"}},)"
      R"({"name":"X-List","in":"header","schema":{"type":"array","items":{"type":"integer","format":"int32","minimum":-2147483648,"maximum":2147483647}}},)"
      R"({"name":"wide","in":"cookie","schema":{"type":"boolean"}}])");
  EXPECT_EQ(text_at(document, "/paths/~1trees~1{id}/get/requestBody"), "nothing");
  EXPECT_EQ(text_at(document, "/paths/~1files~1{path}/get/parameters"),
            R"([{"name":"path","in":"path","required":true,"schema":{"type":"string"}}])");
  // The path is spelled as the first route spells it.
  EXPECT_EQ(text_at(document, "/paths/~1trees~1{id}/put/parameters"),
            R"([{"name":"id","in":"path","required":true,"schema":{"type":"string"}}])");
}

TEST(OpenApi, DescribesBodies) {
  const Document document = Document::parse(openapi_document(trees(), {}));
  EXPECT_EQ(
      text_at(document, "/paths/~1login/post/requestBody"),
      R"({"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/LoginInput"}},)"
      R"("application/x-www-form-urlencoded":{"schema":{"$ref":"#/components/schemas/LoginInput"}}}})");
  EXPECT_EQ(
      text_at(document, "/paths/~1pictures/post/requestBody/content"),
      R"({"multipart/form-data":{"schema":{"type":"object","properties":{)"
      R"("file":{"type":"string","contentMediaType":"application/octet-stream"},)"
      R"("more":{"type":"array","items":{"type":"string","contentMediaType":"application/octet-stream"}},)"
      R"("title":{"type":"string"}},"required":["file"],"additionalProperties":false}}})");
  Router router;
  router.put("/trees/:id", nothing, {.operation = operation<PutTree, void>("x")});
  EXPECT_EQ(
      text_at(Document::parse(openapi_document(router, {})), "/paths/~1trees~1{id}/put/requestBody/content"),
      R"({"application/json":{"schema":{"type":"object","properties":{"tree":{"$ref":"#/components/schemas/Tree"}},)"
      R"("required":["tree"],"additionalProperties":false}}})");
  Router plain;
  plain.post("/", nothing, {.operation = operation<std::vector<int>, std::string>("x")});
  const Document other = Document::parse(openapi_document(plain, {}));
  EXPECT_THAT(text_at(other, "/paths/~1/post/requestBody"),
              HasSubstr(R"({"required":true,"content":{"application/json")"));
  EXPECT_EQ(text_at(other, "/paths/~1/post/operationId"), R"("post")");
}

TEST(OpenApi, DescribesTypes) {
  const Document document = Document::parse(openapi_document(trees(), {}));
  EXPECT_THAT(
      keys_at(document, "/components/schemas"),
      ElementsAre("Login", "LoginInput", "Problem", "Problem_2", "PutTree", "Tree", "TreeInput", "Tree_2"));
  EXPECT_EQ(
      text_at(document, "/components/schemas/Tree"),
      R"({"type":"object","properties":{"label":{"type":"string"},"colour":{"type":"string","enum":["red","green"]},)"
      R"("children":{"type":"array","items":{"$ref":"#/components/schemas/Tree"}}},"required":["label","colour","children"]})");
  EXPECT_EQ(
      text_at(document, "/components/schemas/TreeInput"),
      R"({"type":"object","properties":{"label":{"type":"string"},"colour":{"type":"string","enum":["red","green"]},)"
      R"("children":{"type":"array","items":{"$ref":"#/components/schemas/TreeInput"}}},"required":["label"],)"
      R"("additionalProperties":false})");
  EXPECT_EQ(
      text_at(document, "/components/schemas/Tree_2/properties/x"),
      R"({"type":"array","items":{"anyOf":[{"type":"integer","format":"int32","minimum":-2147483648,"maximum":2147483647},{"type":"null"}]}})");
  EXPECT_EQ(text_at(document, "/components/schemas/Tree_2/properties/logins"),
            R"({"type":"object","additionalProperties":{"$ref":"#/components/schemas/Login"}})");
  EXPECT_EQ(text_at(document, "/components/schemas/Login/required"), R"(["name"])");
  EXPECT_THAT(text_at(document, "/components/schemas/Problem"), HasSubstr("RFC 9457"));
}

TEST(OpenApi, DescribesResponses) {
  const Document document = Document::parse(openapi_document(trees(), {}));
  EXPECT_EQ(
      text_at(document, "/paths/~1trees~1{id}/get/responses"),
      R"({"200":{"description":"OK","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Tree"}}}},)"
      R"("400":{"description":"The request is faulty","content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}},)"
      R"("404":{"description":"no such tree","content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}},)"
      R"("409":{"description":"Conflict","content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}},)"
      R"("default":{"$ref":"#/components/responses/Problem"}})");
  EXPECT_THAT(keys_at(document, "/paths/~1trees~1{id}/put/responses"),
              ElementsAre("204", "400", "413", "415", "default"));
  EXPECT_THAT(keys_at(document, "/paths/~1trees~1{id}:water/post/responses"), ElementsAre("202", "default"));
  EXPECT_EQ(text_at(document, "/paths/~1trees~1{id}:water/post/deprecated"), "true");
  EXPECT_EQ(text_at(document, "/paths/~1files~1{path}/get/responses/200/content"), R"({"image/png":{}})");
  EXPECT_EQ(text_at(document, "/paths/~1x/delete/summary"), R"("Problems \"quoted\"")");
}

TEST(OpenApi, TakesSchemasInsteadOfStructs) {
  using Place = OperationSchemas::Place;
  const SchemaFunction text = [](json::SchemaSet&, json::Writer& writer) {
    json::internal::write_type(writer, "string");
  };
  const SchemaFunction tree = [](json::SchemaSet& schemas, json::Writer& writer) {
    schemas.write<Tree>(writer, json::SchemaUse::kWrite);
  };
  const OperationSchemas::Parameter parameters[] = {{"id", Place::kPath, false, text},
                                                    {"dry", Place::kQuery, true, text},
                                                    {"X-Key", Place::kHeader, false, text}};
  Router router;
  router.post(
      "/trees/:id", nothing,
      {.operation =
           operation("Grows",
                     {.parameters = parameters, .body = text, .body_required = false, .response = tree})
               .authenticated()});
  const Document document = Document::parse(openapi_document(router, {}));
  check_structure(document);
  EXPECT_EQ(text_at(document, "/paths/~1trees~1{id}/post/parameters"),
            R"([{"name":"id","in":"path","required":true,"schema":{"type":"string"}},)"
            R"({"name":"dry","in":"query","required":true,"schema":{"type":"string"}},)"
            R"({"name":"X-Key","in":"header","schema":{"type":"string"}}])");
  EXPECT_EQ(text_at(document, "/paths/~1trees~1{id}/post/requestBody"),
            R"({"content":{"application/json":{"schema":{"type":"string"}}}})");
  EXPECT_EQ(text_at(document, "/paths/~1trees~1{id}/post/security"), R"([{"bearer":[]}])");
  EXPECT_EQ(text_at(document, "/components/securitySchemes"),
            R"({"bearer":{"type":"http","scheme":"bearer"}})");
  EXPECT_THAT(keys_at(document, "/paths/~1trees~1{id}/post/responses"),
              ElementsAre("200", "400", "401", "413", "415", "default"));
}

TEST(OpenApi, NamesOperations) {
  Router router;
  router.get("/users/:id", nothing, {.operation = operation<void, void>("a")});
  router.get("/users/id", nothing, {.operation = operation<void, void>("b")});
  router.get("/other", nothing, {.operation = operation<void, void>("c").id("get_users_id_2")});
  const Document document = Document::parse(openapi_document(router, {}));
  check_structure(document);
  EXPECT_EQ(text_at(document, "/paths/~1users~1id/get/operationId"), R"("get_users_id")");
  EXPECT_EQ(text_at(document, "/paths/~1users~1{id}/get/operationId"), R"("get_users_id_3")");
}

TEST(OpenApi, RefusesWhatOpenApiCannotTellApart) {
  Router ids;
  ids.get("/a", nothing, {.operation = operation<void, void>("a").id("x")});
  ids.get("/b", nothing, {.operation = operation<void, void>("b").id("x")});
  EXPECT_THROW(openapi_document(ids, {}), Error);
  Router paths;
  paths.get("/a/:x", nothing, {.operation = operation<void, void>("a")});
  paths.get("/a/*y", nothing, {.operation = operation<void, void>("b")});
  try {
    openapi_document(paths, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kAlreadyExists);
    EXPECT_THAT(error.message(), HasSubstr("/a/:x"));
  }
}

TEST(OpenApi, IsServedWithItsPage) {
  Router router = trees();
  serve_openapi(router,
                {.info = {.title = "T", .servers = {"https://api.example:8443/v1", "/v2", "https://x;y"}}});
  const Response document = test::call(router, "GET", "/openapi.json");
  EXPECT_EQ(document.header("content-type"), "application/json");
  EXPECT_THAT(document.body, HasSubstr(R"("servers":[{"url":"https://api.example:8443/v1"},{"url":"/v2"})"));
  EXPECT_THAT(document.body, Not(HasSubstr("/openapi.json")));
  const Response page = test::call(router, "GET", "/docs/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr(R"(content="../openapi.json")"));
  EXPECT_THAT(page.body, HasSubstr(R"(name="openapi-root" content="../")"));
  EXPECT_THAT(std::string(page.header("content-security-policy")),
              ::testing::EndsWith("connect-src 'self' https://api.example:8443"));
  EXPECT_EQ(test::call(router, "GET", "/docs/viewer.js").header("content-type"),
            "text/javascript; charset=utf-8");
  EXPECT_EQ(test::call(router, "GET", "/docs/viewer.css").status, 200);
  EXPECT_EQ(test::call(router, "GET", "/docs/none").status, 404);
  const Response bare = test::call(router, "GET", "/docs");
  EXPECT_EQ(bare.status, 308);
  EXPECT_EQ(bare.header("location"), "docs/");
}

TEST(OpenApi, IsServedElsewhere) {
  Router router;
  serve_openapi(router, {.document = "/api/v1/a\"&b.json", .page = "/x/y/"});
  EXPECT_THAT(test::call(router, "GET", "/x/y/").body,
              HasSubstr(R"(content="../../api/v1/a&quot;&amp;b.json")"));
  EXPECT_EQ(test::call(router, "GET", "/x/y").header("location"), "y/");
  Router without;
  serve_openapi(without, {.page = ""});
  EXPECT_THAT(without.routes(), ElementsAre("GET /openapi.json"));
  EXPECT_THROW(serve_openapi(Router(), {.page = "/docs"}), Error);
  EXPECT_THROW(serve_openapi(Router(), {.document = ""}), Error);
}

TEST(OpenApi, ThePageLoadsNothingFromElsewhere) {
  Router router;
  serve_openapi(router);
  for (const char* file : {"", "viewer.js", "viewer.css"}) {
    const std::string text = test::call(router, "GET", std::string("/docs/") + file).body;
    EXPECT_THAT(text, Not(HasSubstr("http://")));
    EXPECT_THAT(text, Not(HasSubstr("https://")));
    EXPECT_THAT(text, Not(HasSubstr("innerHTML")));
  }
}

}  // namespace
}  // namespace degu::http
