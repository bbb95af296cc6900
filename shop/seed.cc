#include <degu/base/error.h>
#include <fmt/format.h>
#include <shop/catalog/data_file.h>
#include <shop/catalog/service.h>
#include <shop/inventory/service.h>
#include <shop/seed.h>
#include <shop/user/service.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace shop {
namespace {

constexpr int64_t kBatch = 10'000;

constexpr std::array<std::string_view, 24> kMoods = {
    "Quiet",  "Northern", "Amber",  "Little", "Patient", "Salt",    "Velvet", "Windward",
    "Copper", "Early",    "Misty",  "Bright", "Cedar",   "Harvest", "Indigo", "Gentle",
    "Pepper", "Silver",   "Sunday", "Willow", "Frosty",  "Rustic",  "Secret", "Wild"};
constexpr std::array<std::string_view, 24> kFirstNames = {
    "Ada",   "Bruno", "Carla", "Deniz", "Emil",  "Farah", "Gustav", "Hana", "Ivo",   "Julia", "Kenji", "Lena",
    "Marek", "Nadia", "Otto",  "Priya", "Quinn", "Rosa",  "Samir",  "Tove", "Ulrik", "Vera",  "Wei",   "Zoe"};
constexpr std::array<std::string_view, 20> kLastNames = {
    "Alvarez",  "Berg",   "Costa",  "Diallo", "Evans",  "Fischer", "Garcia", "Huang", "Ito",    "Jansen",
    "Kowalski", "Larsen", "Moreau", "Nagy",   "Okafor", "Petrov",  "Rossi",  "Silva", "Tanaka", "Weber"};

template <std::size_t N>
std::string_view pick(const std::array<std::string_view, N>& from, int64_t number) {
  return from[static_cast<std::size_t>(number) % N];
}

// Calls add(first, last) for 1..count in pieces that fit a transaction.
template <class F>
int64_t in_batches(int64_t count, F add) {
  int64_t added = 0;
  for (int64_t first = 1; first <= count; first += kBatch)
    added += add(first, std::min(count, first + kBatch - 1));
  return added;
}

int64_t seed_products(const std::string& data_dir, int64_t count) {
  const auto& models = catalog::builtin_catalog().products;
  const auto inventory = inventory::make_inventory_service({.database_path = data_dir + "/inventory.db"});
  const int64_t added = in_batches(count, [&](int64_t first, int64_t last) {
    std::vector<catalog::NewProduct> products;
    std::vector<inventory::InitialStock> stock;
    for (int64_t i = first; i <= last; ++i) {
      const auto& model = models[static_cast<std::size_t>(i) % models.size()];
      const std::string sku = fmt::format("S-{:06}", i);
      products.push_back({sku, model.category,
                          fmt::format("{} {} No. {}", pick(kMoods, i / 7), model.name, i), model.description,
                          model.price_minor + i % 500, fmt::format("/images/{}.svg", model.sku)});
      stock.push_back({sku, kSeedStock});
    }
    inventory->add_stock(stock);
    return catalog::add_products(data_dir + "/catalog.db", products);
  });
  inventory->stop({});
  return added;
}

int64_t seed_users(const std::string& data_dir, int64_t count) {
  const std::string hash = user::hash_password(kSeedPassword);
  return in_batches(count, [&](int64_t first, int64_t last) {
    std::vector<user::NewUser> users;
    for (int64_t i = first; i <= last; ++i) {
      users.push_back({fmt::format("{} {}", pick(kFirstNames, i), pick(kLastNames, i / 24)),
                       fmt::format("user-{:06}@seed.example", i), hash});
    }
    return user::add_users(data_dir + "/user.db", users);
  });
}

}  // namespace

SeedCounts seed(const std::string& data_dir, SeedCounts wanted) {
  for (const int64_t count : {wanted.products, wanted.users}) {
    if (count < 0 || count > kMaxSeed) {
      throw degu::Error(degu::Code::kInvalidArgument,
                        fmt::format("{} is not between 0 and {}", count, kMaxSeed));
    }
  }
  SeedCounts added;
  if (wanted.products > 0) added.products = seed_products(data_dir, wanted.products);
  if (wanted.users > 0) added.users = seed_users(data_dir, wanted.users);
  return added;
}

}  // namespace shop
