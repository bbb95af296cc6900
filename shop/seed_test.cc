#include <degu/base/error.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>
#include <shop/catalog/data_file.h>
#include <shop/catalog/service.h>
#include <shop/inventory/service.h>
#include <shop/seed.h>
#include <shop/user/service.h>

#include <string>

namespace shop {
namespace {

TEST(Seed, FillsTheDatabasesOnce) {
  const degu::testing::TempDir dir;
  degu::run([&] {
    const SeedCounts first = seed(dir.path(), {.products = 120, .users = 60});
    EXPECT_EQ(first.products, 120);
    EXPECT_EQ(first.users, 60);
    const SeedCounts second = seed(dir.path(), {.products = 130, .users = 60});
    EXPECT_EQ(second.products, 10);
    EXPECT_EQ(second.users, 0);

    const auto catalog = catalog::make_catalog_service({.database_path = dir.file("catalog.db")});
    EXPECT_EQ(catalog->list_products({}).total,
              static_cast<int32_t>(catalog::builtin_catalog().products.size()) + 130);
    catalog->stop({});
    const auto inventory = inventory::make_inventory_service({.database_path = dir.file("inventory.db")});
    inventory::v1::GetStockRequest stock;
    stock.sku = "S-000130";
    EXPECT_EQ(inventory->get_stock(stock).free, kSeedStock);
    inventory->stop({});
    user::UserDeps deps;
    deps.database_path = dir.file("user.db");
    deps.secret_path = dir.file("token.key");
    const auto users = user::make_user_service(deps);
    user::v1::CreateSessionRequest credentials;
    credentials.email = "user-000060@seed.example";
    credentials.password = kSeedPassword;
    EXPECT_FALSE(users->create_session(credentials).token.empty());
    users->stop({});
  });
}

TEST(Seed, RefusesOddCounts) {
  degu::run([&] {
    EXPECT_THROW(seed("", {.products = -1, .users = 0}), degu::Error);
    EXPECT_THROW(seed("", {.products = 0, .users = kMaxSeed + 1}), degu::Error);
  });
}

}  // namespace
}  // namespace shop
