// shop: the reference shop, all six services and the gateway in one process.
#include <degu/app/app.h>
#include <fmt/format.h>
#include <shop/catalog/data_file.h>
#include <shop/catalog/service.h>
#include <shop/gateway/gateway.h>
#include <shop/inventory/service.h>
#include <shop/notification/service.h>
#include <shop/order/service.h>
#include <shop/payment/service.h>
#include <shop/seed.h>
#include <shop/user/service.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr const char* kDemoEmail = "demo@degu.example";
constexpr const char* kDemoPassword = "degu-demo-1";
constexpr std::chrono::seconds kStopGrace{5};

// Starts a component and has it stopped with its service.
template <class Component>
std::shared_ptr<Component> run_in(degu::App& app, std::shared_ptr<Component> component) {
  app.on_stop([component] { component->stop(kStopGrace); });
  component->start();
  return component;
}

std::vector<shop::inventory::InitialStock> initial_stock() {
  std::vector<shop::inventory::InitialStock> stock;
  for (const auto& product : shop::catalog::builtin_catalog().products)
    stock.push_back({product.sku, product.stock});
  return stock;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::shared_ptr<shop::user::UserComponent> make_users(degu::App& app) {
  shop::user::UserDeps deps;
  deps.database_path = app.data_dir() + "/user.db";
  deps.secret_path = app.data_dir() + "/token.key";
  auto users = run_in(app, shop::user::make_user_service(std::move(deps)));
  users->ensure_user("Demo Degu", kDemoEmail, kDemoPassword);
  return users;
}

std::shared_ptr<shop::inventory::InventoryComponent> make_inventory(degu::App& app) {
  auto inventory =
      shop::inventory::make_inventory_service({.database_path = app.data_dir() + "/inventory.db"});
  inventory->add_stock(initial_stock());
  return run_in(app, std::move(inventory));
}

std::shared_ptr<shop::order::OrderComponent> make_orders(degu::App& app) {
  shop::order::OrderDeps deps;
  deps.database_path = app.data_dir() + "/order.db";
  deps.catalog = app.client<shop::catalog::v1::CatalogService>();
  deps.inventory = app.client<shop::inventory::v1::InventoryService>();
  deps.payment = app.client<shop::payment::v1::PaymentService>();
  deps.notification = app.client<shop::notification::v1::NotificationService>();
  deps.crash_at = environment("SHOP_CRASH_AT");
  return run_in(app, shop::order::make_order_service(std::move(deps)));
}

void provide_services(degu::App& app) {
  app.provide<shop::catalog::v1::CatalogService>([](degu::App& a) {
    return run_in(a, shop::catalog::make_catalog_service({.database_path = a.data_dir() + "/catalog.db"}));
  });
  app.provide<shop::user::v1::UserService>(&make_users);
  app.provide<shop::inventory::v1::InventoryService>(&make_inventory);
  app.provide<shop::payment::v1::PaymentService>([](degu::App& a) {
    shop::payment::PaymentDeps deps;
    deps.database_path = a.data_dir() + "/payment.db";
    return run_in(a, shop::payment::make_payment_service(std::move(deps)));
  });
  app.provide<shop::notification::v1::NotificationService>([](degu::App& a) {
    return run_in(a, shop::notification::make_notification_service(
                         {.database_path = a.data_dir() + "/notification.db"}));
  });
  // Orders and carts are two services of one component.
  auto component = std::make_shared<std::shared_ptr<shop::order::OrderComponent>>();
  app.provide<shop::order::v1::OrderService>([component](degu::App& a) {
    *component = make_orders(a);
    return (*component)->orders();
  });
  app.provide<shop::order::v1::CartService>([component](degu::App& a) {
    static_cast<void>(a.client<shop::order::v1::OrderService>());
    return (*component)->carts();
  });
}

void mount_gateway(degu::App& app) {
  shop::gateway::mount(app.router(),
                       {
                           .users = app.client<shop::user::v1::UserService>(),
                           .catalog = app.client<shop::catalog::v1::CatalogService>(),
                           .inventory = app.client<shop::inventory::v1::InventoryService>(),
                           .orders = app.client<shop::order::v1::OrderService>(),
                           .carts = app.client<shop::order::v1::CartService>(),
                           .notifications = app.client<shop::notification::v1::NotificationService>(),
                       });
}

// One line for a shell: logs in and orders. {0} is the URL, {1} the address, {2} the password.
constexpr const char* kOrderLine =
    R"x(curl -s {0}/api/v1/orders -H "Authorization: Bearer )x"
    R"x($(curl -s {0}/api/v1/sessions -H 'Content-Type: application/json' )x"
    R"x(-d '{{"email":"{1}","password":"{2}"}}' | sed 's/.*"token":"\([^"]*\)".*/\1/')" )x"
    R"x(-H "Idempotency-Key: $(date +%s%N)" -H 'Content-Type: application/json' )x"
    R"x(-d '{{"items":[{{"sku":"CT-101","quantity":1}}],"paymentMethod":{{"card":"4242424242424242"}}}}')x";

// What a newcomer needs: who to be, and an order in one line.
void greet(const std::string& url) {
  fmt::print("\n  web shop  {}/\n  log-in    {} / {}\n  an order, from a terminal:\n\n", url, kDemoEmail,
             kDemoPassword);
  fmt::print(fmt::runtime(kOrderLine), url, kDemoEmail, kDemoPassword);
  fmt::print("\n\n");
}

}  // namespace

int main(int argc, char** argv) {
  degu::App app({.name = "shop",
                 .about = "The reference shop of Degu: six services, a gateway and a web shop.",
                 .admin_port = 9090});
  provide_services(app);
  app.on_start([&] { mount_gateway(app); });
  app.on_ready(&greet);

  shop::SeedCounts wanted;
  app.command("seed", "fill the data directory with made-up products and users, for load tests",
              [&] {
                const shop::SeedCounts added = shop::seed(app.data_dir(), wanted);
                fmt::print("added {} products and {} users (password {})\n", added.products, added.users,
                           shop::kSeedPassword);
                return 0;
              })
      .add("--products", wanted.products, "products S-000001 and so on, each with stock")
      .add("--users", wanted.users, "users user-000001@seed.example and so on");
  return app.run(argc, argv);
}
