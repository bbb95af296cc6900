// OrderService: placing, reading, listing and cancelling orders.
#pragma once

#include <degu/store/database.h>
#include <degu/store/saga.h>
#include <shop/order/crash_point.h>
#include <shop/order/order_watch.h>
#include <shop/order/service.h>

#include <memory>

namespace shop::order {

/// What the implementation works with; all of it outlives the service's last call.
struct OrderParts {
  std::shared_ptr<degu::store::Database> database;
  degu::store::SagaEngine* engine = nullptr;
  CrashPoint* crash = nullptr;
  OrderWatch* watch = nullptr;
  const OrderDeps* deps = nullptr;
};

std::shared_ptr<v1::OrderService> make_orders(OrderParts parts);

}  // namespace shop::order
