#include <degu/base/error.h>
#include <gtest/gtest.h>
#include <shop/catalog/product_index.h>

#include <string>
#include <vector>

namespace shop::catalog {
namespace {

v1::Product product(std::string id, std::string name, std::string category, std::string description) {
  v1::Product made;
  made.sku = "S-" + id;
  made.id = std::move(id);
  made.name = std::move(name);
  made.category = std::move(category);
  made.description = std::move(description);
  return made;
}

v1::Category category(std::string id) {
  v1::Category made;
  made.name = made.id = std::move(id);
  return made;
}

ProductIndex small() {
  return ProductIndex({product("1", "Red Kettle", "kitchen", "Boils water."),
                       product("2", "Tent", "outdoors", "Red, for two."),
                       product("3", "Café Chess", "play", "For a small table."),
                       product("4", "Blue Kettle", "kitchen", "Boils tea.")},
                      {category("kitchen"), category("outdoors"), category("play"), category("garden")});
}

std::vector<std::string> ids(const v1::ListProductsResponse& response) {
  std::vector<std::string> out;
  for (const v1::Product& found : response.products) out.push_back(found.id);
  return out;
}

v1::ListProductsRequest request(std::string q, std::string in = "", int32_t size = 0,
                                std::string token = "") {
  v1::ListProductsRequest made;
  made.q = std::move(q);
  made.category = std::move(in);
  made.page_size = size;
  made.page_token = std::move(token);
  return made;
}

using Ids = std::vector<std::string>;

TEST(ProductIndex, FindsWordsInNamesFirst) {
  const ProductIndex index = small();
  EXPECT_EQ(ids(index.list(request("RED"))), (Ids{"1", "2"}));
  EXPECT_EQ(ids(index.list(request("boils"))), (Ids{"1", "4"}));
  EXPECT_EQ(ids(index.list(request("tea kettle"))), (Ids{"4"}));
  EXPECT_EQ(ids(index.list(request("  "))), (Ids{"1", "2", "3", "4"}));
  EXPECT_EQ(ids(index.list(request("nothing such"))), Ids{});
}

TEST(ProductIndex, IgnoresAccents) {
  const ProductIndex index = small();
  for (const char* text : {"cafe", "café", "CAFÉ"})
    EXPECT_EQ(ids(index.list(request(text))), (Ids{"3"})) << text;
  EXPECT_EQ(fold("ÀÉÎõÜçñß×÷Æ"), "aeioucnß×÷Æ");
}

TEST(ProductIndex, FiltersByCategory) {
  const ProductIndex index = small();
  EXPECT_EQ(ids(index.list(request("", "kitchen"))), (Ids{"1", "4"}));
  EXPECT_EQ(ids(index.list(request("red", "kitchen"))), (Ids{"1"}));
  EXPECT_EQ(index.list(request("", "nowhere")).total, 0);
  ASSERT_EQ(index.categories().size(), 4U);
  EXPECT_EQ(index.categories()[0].product_count, 2);
  EXPECT_EQ(index.categories()[3].product_count, 0);
}

TEST(ProductIndex, PagesCoverEverythingOnce) {
  const ProductIndex index = small();
  Ids all;
  std::string token;
  do {
    const auto page = index.list(request("", "", 3, token));
    EXPECT_EQ(page.total, 4);
    for (const std::string& id : ids(page)) all.push_back(id);
    token = page.next_page_token;
  } while (!token.empty());
  EXPECT_EQ(all, (Ids{"1", "2", "3", "4"}));
  EXPECT_EQ(index.list(request("", "", 2, "999")).products.size(), 0U);
}

TEST(ProductIndex, RefusesTokensOfItsOwnMaking) {
  const ProductIndex index = small();
  for (const char* token : {"x", "-1", "1 ", "99999999999999999999999", "1x"}) {
    try {
      index.list(request("", "", 0, token));
      ADD_FAILURE() << token;
    } catch (const degu::Error& error) {
      EXPECT_EQ(error.code(), degu::Code::kInvalidArgument);
    }
  }
}

TEST(ProductIndex, LooksUp) {
  const ProductIndex index = small();
  ASSERT_NE(index.by_id("3"), nullptr);
  EXPECT_EQ(index.by_id("3")->sku, "S-3");
  ASSERT_NE(index.by_sku("S-2"), nullptr);
  EXPECT_EQ(index.by_sku("S-2")->id, "2");
  EXPECT_EQ(index.by_id("9"), nullptr);
  EXPECT_EQ(index.by_sku("3"), nullptr);
}

}  // namespace
}  // namespace shop::catalog
