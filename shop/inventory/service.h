// The inventory: stock and what is set aside of it.
#pragma once

#include <degu/store/database.h>
#include <shop/proto/inventory.degu.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace shop::inventory {

struct InventoryDeps {
  std::string database_path;
  degu::store::Synchronous synchronous = degu::store::Synchronous::kFull;
  std::chrono::milliseconds reservation_ttl{std::chrono::minutes(15)};  // when the caller asks for none
  std::chrono::milliseconds sweep_interval{5000};
};

struct InitialStock {
  std::string sku;
  int32_t quantity = 0;
};

/// The service and its life. Goroutine-safe. All calls are idempotent by order and key.
class InventoryComponent : public v1::InventoryService {
 public:
  /// Makes stock known. SKUs that are known already keep what they have; returns how many were new.
  virtual int64_t add_stock(const std::vector<InitialStock>& stock) = 0;
  /// Releases what is out of time; returns how many reservations. The sweeper calls it.
  virtual int64_t sweep() = 0;
  /// Starts the sweeper.
  virtual void start() = 0;
  /// Ends the sweeper and closes the database; calls fail afterwards. Idempotent.
  virtual void stop(std::chrono::nanoseconds grace) = 0;
};

/// Opens the database, making or migrating it. Throws degu::Error.
std::shared_ptr<InventoryComponent> make_inventory_service(InventoryDeps deps);

}  // namespace shop::inventory
