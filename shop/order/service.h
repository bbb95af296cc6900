// Orders and carts.
#pragma once

#include <degu/store/database.h>
#include <shop/proto/catalog.degu.h>
#include <shop/proto/inventory.degu.h>
#include <shop/proto/notification.degu.h>
#include <shop/proto/order.degu.h>
#include <shop/proto/payment.degu.h>

#include <chrono>
#include <memory>
#include <string>

namespace shop::order {

struct OrderDeps {
  std::string database_path;
  degu::store::Synchronous synchronous = degu::store::Synchronous::kFull;

  // Clients of the other services.
  std::shared_ptr<catalog::v1::CatalogService> catalog;
  std::shared_ptr<inventory::v1::InventoryService> inventory;
  std::shared_ptr<payment::v1::PaymentService> payment;
  std::shared_ptr<notification::v1::NotificationService> notification;

  std::chrono::milliseconds answer_within{10000};  // PlaceOrder answers by then, in the state reached
  std::chrono::milliseconds watch_for{10000};      // WatchOrder answers by then, though nothing has changed
  std::chrono::milliseconds saga_time_to_live{60000};  // a saga still open then is undone
  int max_running_sagas = 256;
  /// "<point>:<n>": the process kills itself when it reaches the point for the n-th time; see crash_point.h.
  /// "": never.
  std::string crash_at;
};

/// The two services, which share a database, and their life. Goroutine-safe. The caller's user is the
/// metadata entry "x-user-id"; without it every call is Error(kUnauthenticated).
class OrderComponent {
 public:
  virtual ~OrderComponent() = default;
  virtual std::shared_ptr<v1::OrderService> orders() = 0;
  virtual std::shared_ptr<v1::CartService> carts() = 0;

  /// Resumes the sagas that the last process left open and starts the relay of notifications. The other
  /// services must be ready.
  virtual void start() = 0;
  /// Lets running sagas and deliveries end for at most `grace` (the rest is resumed by the next start()) and
  /// closes the database. Call it when no more requests come. Idempotent.
  virtual void stop(std::chrono::nanoseconds grace) = 0;
};

/// Opens the database, making or migrating it. Throws degu::Error.
std::shared_ptr<OrderComponent> make_order_service(OrderDeps deps);

}  // namespace shop::order
