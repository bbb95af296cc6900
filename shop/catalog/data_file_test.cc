#include <degu/base/error.h>
#include <gtest/gtest.h>
#include <shop/catalog/data_file.h>

#include <map>
#include <set>

namespace shop::catalog {
namespace {

constexpr std::string_view kOne =
    R"({"currency": "EUR", "categories": [{"id": "k", "name": "Kitchen"}], "products": [
  {"sku": "A-1", "category": "k", "price": "12.9", "stock": 3, "name": "Pan", "description": "Round.",
   "art": {"kind": "pan", "colors": ["#fff", "#112233", "#000", "#aabbcc"]}}]})";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(DataFile, ReadsAProduct) {
  const CatalogData data = parse_catalog(kOne);
  ASSERT_EQ(data.products.size(), 1U);
  EXPECT_EQ(data.currency, "EUR");
  EXPECT_EQ(data.products[0].price_minor, 1290);
  EXPECT_EQ(data.products[0].stock, 3);
  EXPECT_EQ(data.products[0].art.colors[1], "#112233");
}

TEST(DataFile, NamesTheFieldThatIsWrong) {
  const std::pair<std::pair<std::string_view, std::string_view>, std::string_view> cases[] = {
      {{"\"12.9\"", "\"12.999\""}, "products[0].price"},
      {{"\"12.9\"", "12.9"}, "products[0].price"},
      {{"\"stock\": 3", "\"stock\": -1"}, "products[0].stock"},
      {{"\"category\": \"k\"", "\"category\": \"x\""}, "products[0].category"},
      {{"\"#fff\"", "\"white\""}, "products[0].art.colors"},
      {{"\"name\": \"Pan\"", "\"name\": \"\""}, "products[0].name"},
  };
  for (const auto& [change, field] : cases) {
    try {
      parse_catalog(replaced(std::string(kOne), change.first, change.second));
      ADD_FAILURE() << "accepted " << change.second;
    } catch (const degu::Error& error) {
      ASSERT_FALSE(error.details().empty()) << change.second;
      EXPECT_EQ(error.details()[0].field, field);
    }
  }
}

TEST(DataFile, Prices) {
  int64_t minor = 0;
  for (const auto& [text, value] : std::map<std::string, int64_t>{
           {"0", 0}, {"12", 1200}, {"12.5", 1250}, {"12.05", 1205}, {"999999.99", 99999999}}) {
    ASSERT_TRUE(parse_price(text, minor)) << text;
    EXPECT_EQ(minor, value) << text;
  }
  for (const char* text :
       {"", ".", "1.", ".5", "-1", "1,5", "1.234", "1e3", "99999999", "9999999.99", " 1"}) {
    EXPECT_FALSE(parse_price(text, minor)) << text;
  }
}

TEST(DataFile, TheCatalogueOfTheShopIsRich) {
  const CatalogData& data = builtin_catalog();
  EXPECT_EQ(data.categories.size(), 8U);
  EXPECT_GE(data.products.size(), 60U);
  std::map<std::string, int> per_category;
  std::set<std::string> names;
  for (const DataProduct& product : data.products) {
    ++per_category[product.category];
    EXPECT_TRUE(names.insert(product.name).second) << product.name;
    EXPECT_GT(product.price_minor, 0) << product.name;
    EXPECT_GT(product.stock, 0) << product.name;
    EXPECT_GE(product.description.size(), 40U) << product.name;
  }
  for (const DataCategory& category : data.categories) EXPECT_GE(per_category[category.id], 7) << category.id;
}

}  // namespace
}  // namespace shop::catalog
