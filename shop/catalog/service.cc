#include <degu/base/error.h>
#include <fmt/format.h>
#include <shop/catalog/data_file.h>
#include <shop/catalog/product_index.h>
#include <shop/catalog/service.h>

#include <utility>

namespace shop::catalog {
namespace {

using degu::store::Database;
using degu::store::Snapshot;
using degu::store::Transaction;

const std::vector<degu::store::Migration>& migrations() {
  static const std::vector<degu::store::Migration> list = {{1, "products", R"sql(
CREATE TABLE categories(
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  position INTEGER NOT NULL
) STRICT;
CREATE TABLE products(
  id INTEGER PRIMARY KEY,
  sku TEXT NOT NULL UNIQUE,
  category TEXT NOT NULL REFERENCES categories(id),
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  price_minor INTEGER NOT NULL CHECK(price_minor >= 0),
  currency TEXT NOT NULL,
  image_url TEXT NOT NULL
) STRICT;
)sql"}};
  return list;
}

int64_t insert(Transaction& tx, const NewProduct& product) {
  return tx.exec(
      "INSERT INTO products(sku, category, name, description, price_minor, currency, image_url) "
      "VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(sku) DO NOTHING",
      product.sku, product.category, product.name, product.description, product.price_minor,
      builtin_catalog().currency, product.image_url);
}

void fill(Transaction& tx) {
  if (tx.value<int64_t>("SELECT count(*) FROM categories").value_or(0) > 0) return;
  const CatalogData& data = builtin_catalog();
  int64_t position = 0;
  for (const DataCategory& category : data.categories) {
    tx.exec("INSERT INTO categories(id, name, position) VALUES(?, ?, ?)", category.id, category.name,
            position++);
  }
  for (const DataProduct& product : data.products) {
    insert(tx, {product.sku, product.category, product.name, product.description, product.price_minor,
                fmt::format("/images/{}.svg", product.sku)});
  }
}

std::unique_ptr<Database> open(const std::string& path, degu::store::Synchronous synchronous) {
  auto database = Database::open(path, {.migrations = migrations(), .synchronous = synchronous});
  database->write([](Transaction& tx) { fill(tx); });
  return database;
}

std::vector<v1::Product> load_products(Snapshot& snapshot) {
  std::vector<v1::Product> products;
  auto rows = snapshot.query(
      "SELECT id, sku, category, name, description, price_minor, currency, image_url FROM products ORDER BY "
      "id");
  while (const auto row = rows.next()) {
    v1::Product product;
    product.id = std::to_string(row->get<int64_t>(0));
    product.sku = row->get<std::string>(1);
    product.category = row->get<std::string>(2);
    product.name = row->get<std::string>(3);
    product.description = row->get<std::string>(4);
    auto& price = product.price.emplace();
    price.minor = row->get<int64_t>(5);
    price.currency = row->get<std::string>(6);
    product.image_url = row->get<std::string>(7);
    products.push_back(std::move(product));
  }
  return products;
}

std::vector<v1::Category> load_categories(Snapshot& snapshot) {
  std::vector<v1::Category> categories;
  auto rows = snapshot.query("SELECT id, name FROM categories ORDER BY position");
  while (const auto row = rows.next()) {
    v1::Category category;
    category.id = row->get<std::string>(0);
    category.name = row->get<std::string>(1);
    categories.push_back(std::move(category));
  }
  return categories;
}

ProductIndex load(Database& database) {
  return database.read(
      [](Snapshot& snapshot) { return ProductIndex(load_products(snapshot), load_categories(snapshot)); });
}

class Catalog final : public CatalogComponent {
 public:
  explicit Catalog(const CatalogDeps& deps)
      : database_(open(deps.database_path, deps.synchronous)), index_(load(*database_)) {}

  void start() override {}
  void stop(std::chrono::nanoseconds) override { database_->close(); }

  v1::ListProductsResponse list_products(const v1::ListProductsRequest& request) override {
    return index_.list(request);
  }

  v1::Product get_product(const v1::GetProductRequest& request) override {
    if (const v1::Product* product = index_.by_id(request.id)) return *product;
    throw degu::Error(degu::Code::kNotFound, fmt::format("no product {}", request.id));
  }

  v1::ListCategoriesResponse list_categories(const v1::ListCategoriesRequest&) override {
    v1::ListCategoriesResponse response;
    response.categories = index_.categories();
    return response;
  }

  v1::Product get_by_sku(const v1::GetBySkuRequest& request) override {
    if (const v1::Product* product = index_.by_sku(request.sku)) return *product;
    throw degu::Error(degu::Code::kNotFound, fmt::format("no product with SKU {}", request.sku));
  }

  v1::ListBySkuResponse list_by_sku(const v1::ListBySkuRequest& request) override {
    v1::ListBySkuResponse response;
    for (const std::string& sku : request.skus) {
      if (const v1::Product* product = index_.by_sku(sku)) response.products.push_back(*product);
    }
    return response;
  }

 private:
  const std::unique_ptr<Database> database_;
  const ProductIndex index_;
};

}  // namespace

std::shared_ptr<CatalogComponent> make_catalog_service(CatalogDeps deps) {
  return std::make_shared<Catalog>(deps);
}

int64_t add_products(const std::string& database_path, const std::vector<NewProduct>& products) {
  const auto database = open(database_path, degu::store::Synchronous::kNormal);
  return database->write([&](Transaction& tx) {
    int64_t added = 0;
    for (const NewProduct& product : products) added += insert(tx, product);
    return added;
  });
}

}  // namespace shop::catalog
