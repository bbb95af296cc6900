// TestShop: the order service with the real services behind it and a small fixed catalogue. For tests.
#pragma once

#include <degu/rpc/call.h>
#include <degu/rpc/local_client.h>
#include <degu/rt/run.h>
#include <shop/inventory/service.h>
#include <shop/notification/service.h>
#include <shop/order/service.h>
#include <shop/payment/service.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace shop::order {

/// Products a (10.00), b (2.50), c (1.00 USD); a hundred thousand of each in stock but b, of which there
/// are 5.
class TestCatalog final : public catalog::v1::CatalogService {
 public:
  catalog::v1::ListProductsResponse list_products(const catalog::v1::ListProductsRequest&) override {
    return {};
  }
  catalog::v1::ListCategoriesResponse list_categories(const catalog::v1::ListCategoriesRequest&) override {
    return {};
  }
  catalog::v1::Product get_product(const catalog::v1::GetProductRequest& request) override {
    return find(request.id);
  }
  catalog::v1::Product get_by_sku(const catalog::v1::GetBySkuRequest& request) override {
    return find(request.sku);
  }
  catalog::v1::ListBySkuResponse list_by_sku(const catalog::v1::ListBySkuRequest& request) override {
    catalog::v1::ListBySkuResponse response;
    for (const std::string& sku : request.skus) {
      if (known(sku)) response.products.push_back(find(sku));
    }
    return response;
  }

 private:
  static bool known(const std::string& sku) { return sku == "a" || sku == "b" || sku == "c"; }
  static catalog::v1::Product find(const std::string& sku) {
    if (!known(sku)) throw degu::Error(degu::Code::kNotFound, "no product " + sku);
    catalog::v1::Product product;
    product.id = "p-" + sku;
    product.sku = sku;
    product.name = "Product " + sku;
    product.price.emplace();
    product.price->currency = sku == "c" ? "USD" : "EUR";
    product.price->minor = sku == "a" ? 1000 : sku == "b" ? 250 : 100;
    return product;
  }
};

inline constexpr const char* kGoodCard = "4242424242424242";
inline constexpr const char* kDeclinedCard = "4000000000000002";
inline constexpr const char* kSilentCard = "4000000000000119";

struct TestShop {
  explicit TestShop(const std::string& dir, std::string crash_at = "",
                    std::chrono::milliseconds answer_within = std::chrono::seconds(20),
                    std::chrono::milliseconds time_to_live = std::chrono::seconds(60),
                    std::shared_ptr<payment::PaymentProvider> provider =
                        payment::make_sandbox_provider({.timeout = std::chrono::milliseconds(2)})) {
    using degu::rpc::local_client;
    using degu::store::Synchronous;
    inventory = inventory::make_inventory_service(
        {.database_path = dir + "/inventory.db", .synchronous = Synchronous::kNormal});
    inventory->add_stock({{"a", 100000}, {"b", 5}, {"c", 100000}});
    payment = payment::make_payment_service({.database_path = dir + "/payment.db",
                                             .synchronous = Synchronous::kNormal,
                                             .provider = std::move(provider)});
    notification = notification::make_notification_service(
        {.database_path = dir + "/notification.db", .synchronous = Synchronous::kNormal});
    OrderDeps deps;
    deps.database_path = dir + "/order.db";
    deps.synchronous = Synchronous::kNormal;
    deps.catalog = local_client<catalog::v1::CatalogService>(std::make_shared<TestCatalog>());
    deps.inventory = local_client<inventory::v1::InventoryService>(inventory);
    deps.payment = local_client<payment::v1::PaymentService>(payment);
    deps.notification = local_client<notification::v1::NotificationService>(notification);
    deps.answer_within = answer_within;
    deps.watch_for = std::chrono::milliseconds(20);
    deps.saga_time_to_live = time_to_live;
    deps.crash_at = std::move(crash_at);
    component = make_order_service(std::move(deps));
    orders = local_client<v1::OrderService>(component->orders());
    carts = local_client<v1::CartService>(component->carts());
    component->start();
  }
  ~TestShop() {
    component->stop(std::chrono::seconds(5));
    notification->stop({});
    payment->stop({});
    inventory->stop({});
  }

  std::shared_ptr<inventory::InventoryComponent> inventory;
  std::shared_ptr<payment::PaymentComponent> payment;
  std::shared_ptr<notification::NotificationComponent> notification;
  std::shared_ptr<OrderComponent> component;
  std::shared_ptr<v1::OrderService> orders;
  std::shared_ptr<v1::CartService> carts;
};

/// While it lives, calls come from this user.
class As {
 public:
  explicit As(const std::string& user) : scope_(metadata(user)) {}

 private:
  static degu::rpc::Metadata metadata(const std::string& user) {
    degu::rpc::Metadata made;
    made.set("x-user-id", user);
    return made;
  }
  degu::rpc::MetadataScope scope_;
};

inline v1::PlaceOrderRequest order_request(const std::string& key,
                                           std::vector<std::pair<std::string, int32_t>> items,
                                           const std::string& card = kGoodCard) {
  v1::PlaceOrderRequest request;
  request.idempotency_key = key;
  request.payment_method.emplace();
  request.payment_method->card = card;
  for (auto& [sku, quantity] : items) {
    v1::ItemQuantity item;
    item.sku = sku;
    item.quantity = quantity;
    request.items.push_back(std::move(item));
  }
  return request;
}

/// Everything the user has, newest first.
inline std::vector<v1::Order> all_orders(TestShop& shop, const std::string& user) {
  const As as(user);
  std::vector<v1::Order> orders;
  v1::ListOrdersRequest request;
  request.page_size = 100;
  do {
    auto page = shop.orders->list_orders(request);
    orders.insert(orders.end(), page.orders.begin(), page.orders.end());
    request.page_token = page.next_page_token;
  } while (!request.page_token.empty());
  return orders;
}

inline std::vector<notification::v1::Notification> all_notifications(TestShop& shop,
                                                                     const std::string& user) {
  const As as(user);
  std::vector<notification::v1::Notification> all;
  notification::v1::ListNotificationsRequest request;
  request.page_size = 100;
  do {
    auto page = shop.notification->list_notifications(request);
    all.insert(all.end(), page.notifications.begin(), page.notifications.end());
    request.page_token = page.next_page_token;
  } while (!request.page_token.empty());
  return all;
}

/// What is wrong with the books once everything has ended; empty when all is well.
std::vector<std::string> broken_invariants(TestShop& shop, const std::vector<std::string>& users);

/// Waits until nothing is wrong any more; after `patience` what is still wrong.
std::vector<std::string> settle(TestShop& shop, const std::vector<std::string>& users,
                                std::chrono::seconds patience = std::chrono::seconds(20));

}  // namespace shop::order
