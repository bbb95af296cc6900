#include <degu/base/error.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>
#include <shop/catalog/data_file.h>
#include <shop/catalog/service.h>

#include <string>

namespace shop::catalog {
namespace {

class CatalogService : public testing::Test {
 protected:
  std::string path() const { return dir_.file("catalog.db"); }

  degu::testing::TempDir dir_;
};

TEST_F(CatalogService, IsFilledAtTheFirstStartAndKeptAtTheSecond) {
  degu::run([&] {
    std::string id;
    {
      const auto service = make_catalog_service({.database_path = path()});
      const auto page = service->list_products({});
      EXPECT_EQ(page.total, static_cast<int32_t>(builtin_catalog().products.size()));
      EXPECT_EQ(page.products.size(), 20U);
      const v1::Product first = page.products.at(0);
      EXPECT_EQ(first.sku, builtin_catalog().products[0].sku);
      EXPECT_EQ(first.image_url, "/images/" + first.sku + ".svg");
      ASSERT_TRUE(first.price.has_value());
      EXPECT_EQ(first.price->currency, "EUR");
      id = first.id;
      service->stop({});
    }
    const auto service = make_catalog_service({.database_path = path()});
    EXPECT_EQ(service->list_products({}).total, static_cast<int32_t>(builtin_catalog().products.size()));
    v1::GetProductRequest request;
    request.id = id;
    EXPECT_EQ(service->get_product(request).sku, builtin_catalog().products[0].sku);
    EXPECT_EQ(service->list_categories({}).categories.size(), 8U);
    service->stop({});
  });
}

TEST_F(CatalogService, AnswersBySku) {
  degu::run([&] {
    const auto service = make_catalog_service({.database_path = path()});
    v1::GetBySkuRequest one;
    one.sku = "GT-806";
    EXPECT_EQ(service->get_by_sku(one).name, "Dario the Degu");
    one.sku = "nope";
    EXPECT_THROW(service->get_by_sku(one), degu::Error);
    v1::GetProductRequest unknown;
    unknown.id = "999999";
    EXPECT_THROW(service->get_product(unknown), degu::Error);
    v1::ListBySkuRequest many;
    many.skus = {"GT-806", "nope", "CT-101"};
    const auto found = service->list_by_sku(many).products;
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[1].sku, "CT-101");
    service->stop({});
  });
}

TEST_F(CatalogService, TakesMoreProductsInBulk) {
  degu::run([&] {
    const std::vector<NewProduct> more = {{"X-1", "play", "Extra", "More.", 100, "/images/GT-806.svg"},
                                          {"X-2", "play", "Extra 2", "More.", 100, "/images/GT-806.svg"}};
    EXPECT_EQ(add_products(path(), more), 2);
    EXPECT_EQ(add_products(path(), more), 0);
    const auto service = make_catalog_service({.database_path = path()});
    EXPECT_EQ(service->list_products({}).total, static_cast<int32_t>(builtin_catalog().products.size()) + 2);
    service->stop({});
  });
}

}  // namespace
}  // namespace shop::catalog
