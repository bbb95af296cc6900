#include <degu/base/testing/code_of.h>
#include <degu/http/api_key.h>
#include <degu/http/router.h>
#include <degu/http/test_call.h>
#include <gtest/gtest.h>

#include <string>

namespace degu::http {
namespace {

using test::call;
using Headers = std::vector<std::pair<std::string, std::string>>;

const std::vector<ApiKey> kKeys = {{"ada", api_key_digest("key-of-ada")},
                                   {"bob", api_key_digest("key-of-bob")},
                                   {"ada", api_key_digest("new-key-of-ada")}};

Router router_with(ApiKeyOptions options) {
  Router router;
  router.use(api_key(std::move(options)));
  router.get("/", [](Exchange& c) { c.text(200, c.get<ApiKeyOwner>()->name); });
  return router;
}

Response ask(const Router& router, Headers headers, std::string_view target = "/") {
  return call(router, "GET", target, {}, headers);
}

TEST(ApiKey, DigestsAreSha256) {
  // FIPS 180-2 appendix B.1.
  EXPECT_EQ(api_key_digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ApiKey, NamesTheOwner) {
  const Router router = router_with({.keys = kKeys});
  EXPECT_EQ(ask(router, {{"X-Api-Key", "key-of-ada"}}).body, "ada");
  EXPECT_EQ(ask(router, {{"x-api-key", "new-key-of-ada"}}).body, "ada");
  EXPECT_EQ(ask(router, {{"X-Api-Key", " key-of-bob\t"}}).body, "bob");
  std::string upper = kKeys[0].digest;
  for (char& c : upper) c = c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
  EXPECT_EQ(ask(router_with({.keys = {{"ada", upper}}}), {{"X-Api-Key", "key-of-ada"}}).body, "ada");
}

TEST(ApiKey, RefusesOthers) {
  const Router router = router_with({.keys = kKeys});
  for (const std::string& key :
       {std::string("key-of-eve"), std::string("key-of-ad"), std::string("key-of-adaa"), std::string(""),
        std::string("KEY-OF-ADA"), kKeys[0].digest, std::string(5000, 'k')}) {
    const Response response = ask(router, {{"X-Api-Key", key}});
    EXPECT_EQ(response.status, 401) << key;
    EXPECT_EQ(response.header("www-authenticate"), "ApiKey");
    EXPECT_EQ(response.body.find("key-of"), std::string::npos);
  }
  EXPECT_EQ(ask(router, {}).status, 401);
  EXPECT_EQ(ask(router, {{"X-Api-Key", "key-of-ada"}, {"X-Api-Key", "key-of-bob"}}).status, 400);
  EXPECT_EQ(ask(router, {}, "/?X-Api-Key=key-of-ada").status, 401);
  EXPECT_EQ(ask(router, {{"Authorization", "Bearer key-of-ada"}}).status, 401);
}

TEST(ApiKey, TakesAQueryParameterIfTold) {
  const Router router = router_with({.query = "key", .keys = kKeys});
  EXPECT_EQ(ask(router, {}, "/?key=key-of-ada").body, "ada");
  EXPECT_EQ(ask(router, {}, "/?a=b&key=key%2Dof%2Dbob").body, "bob");
  EXPECT_EQ(ask(router, {{"X-Api-Key", "key-of-ada"}}).body, "ada");
  EXPECT_EQ(ask(router, {}, "/?key=").status, 401);
  EXPECT_EQ(ask(router, {}, "/?key").status, 401);
  EXPECT_EQ(ask(router, {}, "/?key=key-of-ada&key=key-of-ada").status, 400);
  EXPECT_EQ(ask(router, {{"X-Api-Key", "key-of-ada"}}, "/?key=key-of-ada").status, 400);
  EXPECT_EQ(ask(router, {}, "/?key=%ff").status, 400);
  const Router only_query = router_with({.header = "", .query = "key", .keys = kKeys});
  EXPECT_EQ(ask(only_query, {{"X-Api-Key", "key-of-ada"}}).status, 401);
  EXPECT_EQ(ask(only_query, {}, "/?key=key-of-ada").body, "ada");
}

TEST(ApiKey, AsksAFunctionOfBoundedKeys) {
  std::size_t asked = 0;
  const Router router = router_with({.find_owner = [&](std::string_view key) -> std::optional<std::string> {
    ++asked;
    if (key == "down") throw Error(Code::kUnavailable, "no database");
    return key.size() == 512 ? std::optional<std::string>("long") : std::nullopt;
  }});
  EXPECT_EQ(ask(router, {{"X-Api-Key", std::string(512, 'k')}}).body, "long");
  EXPECT_EQ(ask(router, {{"X-Api-Key", "x"}}).status, 401);
  EXPECT_EQ(ask(router, {{"X-Api-Key", "down"}}).status, 503);
  EXPECT_EQ(asked, 3U);
  EXPECT_EQ(ask(router, {{"X-Api-Key", std::string(513, 'k')}}).status, 401);
  EXPECT_EQ(ask(router, {{"X-Api-Key", ""}}).status, 401);
  EXPECT_EQ(ask(router, {}).status, 401);
  EXPECT_EQ(asked, 3U);
}

TEST(ApiKey, RefusesBadOptions) {
  const auto refused = [](ApiKeyOptions options) {
    return testing::code_of([&] { api_key(std::move(options)); }) == Code::kInvalidArgument;
  };
  const auto nobody = [](std::string_view) { return std::optional<std::string>(); };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({.keys = kKeys, .find_owner = nobody}));
  EXPECT_TRUE(refused({.header = "", .keys = kKeys}));
  EXPECT_TRUE(refused({.header = "X Y", .keys = kKeys}));
  EXPECT_TRUE(refused({.keys = {{"ada", "key-of-ada"}}}));
  EXPECT_TRUE(refused({.keys = {{"ada", std::string(64, 'g')}}}));
  EXPECT_TRUE(refused({.keys = {{"ada", std::string(63, 'a')}}}));
  EXPECT_TRUE(refused({.keys = {{"ada", "-" + std::string(63, 'a')}}}));
  EXPECT_TRUE(refused({.keys = {kKeys[0], {"eve", kKeys[0].digest}}}));
}

}  // namespace
}  // namespace degu::http
