// The catalogue: products and categories.
#pragma once

#include <degu/store/database.h>
#include <shop/proto/catalog.degu.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace shop::catalog {

struct CatalogDeps {
  std::string database_path;
  degu::store::Synchronous synchronous = degu::store::Synchronous::kFull;
};

/// The service and its life. Goroutine-safe. Reads are answered from memory: the database is read once, when
/// the service is made.
class CatalogComponent : public v1::CatalogService {
 public:
  virtual void start() = 0;
  /// Closes the database. Idempotent.
  virtual void stop(std::chrono::nanoseconds grace) = 0;
};

/// Opens the database, making or migrating it; an empty one is filled with the catalogue that the program
/// carries. Throws degu::Error.
std::shared_ptr<CatalogComponent> make_catalog_service(CatalogDeps deps);

struct NewProduct {
  std::string sku;
  std::string category;  // has to exist
  std::string name;
  std::string description;
  int64_t price_minor = 0;
  std::string image_url;
};

/// Adds products in one transaction, in the built-in catalogue's currency; SKUs that exist already are left
/// alone. Returns how many were new. A running service does not see them until it is started again.
int64_t add_products(const std::string& database_path, const std::vector<NewProduct>& products);

}  // namespace shop::catalog
