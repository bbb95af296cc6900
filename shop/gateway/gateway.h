// The gateway: every REST route of the shop, the web shop and its pictures on one router.
#pragma once

#include <degu/http/router.h>
#include <shop/proto/catalog.degu.h>
#include <shop/proto/inventory.degu.h>
#include <shop/proto/notification.degu.h>
#include <shop/proto/order.degu.h>
#include <shop/proto/user.degu.h>

#include <chrono>
#include <memory>

namespace shop::gateway {

/// Clients of the services; all have to be there.
struct Services {
  std::shared_ptr<user::v1::UserService> users;
  std::shared_ptr<catalog::v1::CatalogService> catalog;
  std::shared_ptr<inventory::v1::InventoryService> inventory;
  std::shared_ptr<order::v1::OrderService> orders;
  std::shared_ptr<order::v1::CartService> carts;
  std::shared_ptr<notification::v1::NotificationService> notifications;
};

/// How long a request may take, by kind; a client's x-request-timeout-ms may ask for less. A request that
/// runs out of it is answered with 504.
struct Budgets {
  std::chrono::nanoseconds reads = std::chrono::seconds(1);       // catalogue, stock
  std::chrono::nanoseconds passwords = std::chrono::seconds(10);  // accounts and log-ins: they queue for CPU
  std::chrono::nanoseconds writes = std::chrono::seconds(5);      // carts, notifications
  std::chrono::nanoseconds orders = std::chrono::seconds(15);     // the saga answers before this
};

/// Adds to a router that already has recovery and request ids:
/// - /api/v1/...: the services' routes. `Authorization: Bearer <token>` becomes the metadata entry "x-user-id"; the events of
///   an order (order_events.h) take the token as a cookie too;
/// - /ping;
/// - what a page of another origin makes a browser send is refused with 403, and the catalogue's lists are compressed;
/// - / and the other pages of the web shop with its files, under a strict Content-Security-Policy, and /images/<sku>.svg.
///   A browser that asks for an unknown path gets the web shop's own 404 page.
void mount(degu::http::Router& router, const Services& services, const Budgets& budgets = {});

}  // namespace shop::gateway
