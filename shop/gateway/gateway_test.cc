#include <degu/base/error.h>
#include <degu/http/json_reader.h>
#include <degu/http/middleware.h>
#include <degu/http/test_call.h>
#include <degu/rpc/call.h>
#include <degu/rpc/local_client.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>
#include <shop/catalog/data_file.h>
#include <shop/gateway/gateway.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shop::gateway {
namespace {

using degu::Code;
using degu::Error;
using degu::http::Response;
using Headers = std::vector<std::pair<std::string, std::string>>;

// Services that answer with what they were asked, as far as the gateway is concerned.
class FakeUsers final : public user::v1::UserService {
 public:
  user::v1::User create_user(const user::v1::CreateUserRequest& request) override {
    user::v1::User user;
    user.id = "1";
    user.name = request.name;
    return user;
  }
  user::v1::ListUsersResponse list_users(const user::v1::ListUsersRequest&) override { return {}; }
  user::v1::User get_user(const user::v1::GetUserRequest& request) override {
    user::v1::User user;
    user.id = request.id;
    user.name = "seen by " + std::string(degu::rpc::metadata().get("x-user-id"));
    return user;
  }
  user::v1::Session create_session(const user::v1::CreateSessionRequest&) override {
    throw Error(Code::kUnauthenticated, "the e-mail address or the password is wrong");
  }
  user::v1::VerifyTokenResponse verify_token(const user::v1::VerifyTokenRequest& request) override {
    if (request.token != "good") throw Error(Code::kUnauthenticated, "the token is not valid");
    user::v1::VerifyTokenResponse response;
    response.user_id = "7";
    return response;
  }
};

class FakeCatalog final : public catalog::v1::CatalogService {
 public:
  catalog::v1::ListProductsResponse list_products(const catalog::v1::ListProductsRequest& request) override {
    catalog::v1::ListProductsResponse response;
    response.next_page_token = request.q + "|" + request.category + "|" + std::to_string(request.page_size);
    return response;
  }
  catalog::v1::Product get_product(const catalog::v1::GetProductRequest& request) override {
    throw Error(Code::kNotFound, "no product " + request.id);
  }
  catalog::v1::ListCategoriesResponse list_categories(const catalog::v1::ListCategoriesRequest&) override {
    throw std::runtime_error("secret of the house");
  }
  catalog::v1::Product get_by_sku(const catalog::v1::GetBySkuRequest&) override { return {}; }
  catalog::v1::ListBySkuResponse list_by_sku(const catalog::v1::ListBySkuRequest&) override { return {}; }
};

class FakeInventory final : public inventory::v1::InventoryService {
 public:
  inventory::v1::Stock get_stock(const inventory::v1::GetStockRequest& request) override {
    inventory::v1::Stock stock;
    stock.sku = request.sku;
    return stock;
  }
  inventory::v1::Reservation reserve(const inventory::v1::ReserveRequest&) override { return {}; }
  inventory::v1::Reservation commit(const inventory::v1::CommitRequest&) override { return {}; }
  inventory::v1::Reservation release(const inventory::v1::ReleaseRequest&) override { return {}; }
};

class FakeOrders final : public order::v1::OrderService {
 public:
  order::v1::Order place_order(const order::v1::PlaceOrderRequest& request) override {
    order::v1::Order order;
    order.id = request.idempotency_key;
    order.user_id = degu::rpc::metadata().get("x-user-id");
    return order;
  }
  // Order 9 is user 7's, and ends while it is watched.
  order::v1::Order get_order(const order::v1::GetOrderRequest& request) override {
    if (request.id != "9" || degu::rpc::metadata().get("x-user-id") != "7")
      throw Error(Code::kNotFound, "there is no order " + request.id);
    return order_with({order::v1::OrderState::kPending, order::v1::OrderState::kReserved});
  }
  order::v1::Order watch_order(const order::v1::WatchOrderRequest& request) override {
    get_order({.id = request.id});
    return order_with({order::v1::OrderState::kPending, order::v1::OrderState::kReserved,
                       order::v1::OrderState::kRejected});
  }
  order::v1::ListOrdersResponse list_orders(const order::v1::ListOrdersRequest&) override { return {}; }
  order::v1::Order cancel_order(const order::v1::CancelOrderRequest& request) override {
    order::v1::Order order;
    order.id = "cancelled " + request.id;
    return order;
  }

 private:
  static order::v1::Order order_with(const std::vector<order::v1::OrderState>& states) {
    order::v1::Order order;
    for (const order::v1::OrderState state : states) order.history.emplace_back().state = state;
    order.state = states.back();
    if (states.back() == order::v1::OrderState::kRejected) order.history.back().reason = "declined";
    return order;
  }
};

class FakeCarts final : public order::v1::CartService {
 public:
  order::v1::Cart get_cart(const order::v1::GetCartRequest&) override { return {}; }
  order::v1::Cart set_cart_item(const order::v1::SetCartItemRequest& request) override {
    order::v1::Cart cart;
    cart.items.emplace_back().sku = request.sku;
    cart.items.back().quantity = request.quantity;
    return cart;
  }
  order::v1::Cart remove_cart_item(const order::v1::RemoveCartItemRequest&) override { return {}; }
  order::v1::Cart clear_cart(const order::v1::ClearCartRequest&) override { return {}; }
};

class FakeNotifications final : public notification::v1::NotificationService {
 public:
  notification::v1::ListNotificationsResponse list_notifications(
      const notification::v1::ListNotificationsRequest&) override {
    return {};
  }
  notification::v1::Notification notify(const notification::v1::NotifyRequest&) override { return {}; }
};

class Gateway : public testing::Test {
 protected:
  Gateway() {
    router_.use(degu::http::request_id());
    router_.use(degu::http::recovery());
    Services services;
    services.users = degu::rpc::local_client<user::v1::UserService>(std::make_shared<FakeUsers>());
    services.catalog = degu::rpc::local_client<catalog::v1::CatalogService>(std::make_shared<FakeCatalog>());
    services.inventory =
        degu::rpc::local_client<inventory::v1::InventoryService>(std::make_shared<FakeInventory>());
    services.orders = degu::rpc::local_client<order::v1::OrderService>(std::make_shared<FakeOrders>());
    services.carts = degu::rpc::local_client<order::v1::CartService>(std::make_shared<FakeCarts>());
    services.notifications =
        degu::rpc::local_client<notification::v1::NotificationService>(std::make_shared<FakeNotifications>());
    mount(router_, services);
  }

  Response call(std::string_view method, std::string_view target, std::string_view body = {},
                const Headers& headers = {}) {
    Response response;
    degu::run([&] { response = degu::http::test::call(router_, method, target, body, headers); });
    return response;
  }

  degu::http::Router router_;
};

const Headers kUser = {{"Authorization", "Bearer good"}};

std::string field(const Response& response, std::string_view name) {
  const auto document = degu::json::Document::parse(response.body);
  const auto member = document.root().find(name);
  return std::string(member ? member->string().value_or("") : "");
}

TEST_F(Gateway, AnswersPing) {
  const Response response = call("GET", "/ping");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "pong");
}

TEST_F(Gateway, HasEveryRouteOfTheShop) {
  const std::vector<std::string> list = router_.routes();
  const std::set<std::string> routes(list.begin(), list.end());
  for (const char* route :
       {"POST /api/v1/users", "GET /api/v1/users", "GET /api/v1/users/:id", "POST /api/v1/sessions",
        "GET /api/v1/products", "GET /api/v1/products/:id", "GET /api/v1/categories",
        "GET /api/v1/inventory/:sku", "GET /api/v1/cart", "PUT /api/v1/cart/items/:sku",
        "DELETE /api/v1/cart/items/:sku", "DELETE /api/v1/cart", "POST /api/v1/orders", "GET /api/v1/orders",
        "GET /api/v1/orders/:id", "GET /api/v1/orders/:id/events", "POST /api/v1/orders/:id:cancel",
        "GET /api/v1/notifications"}) {
    EXPECT_TRUE(routes.contains(route)) << route;
  }
}

void collect_references(degu::json::Value value, std::set<std::string>& found) {
  value.each_member([&](std::string_view key, degu::json::Value member) {
    if (key == "$ref") found.emplace(member.string().value_or("no text"));
    collect_references(member, found);
  });
  value.each_element([&](degu::json::Value element) { collect_references(element, found); });
}

// "/a/:id:cancel" as "/a/{id}:cancel".
std::string path_template(std::string_view route) {
  std::string out;
  for (std::size_t i = 0; i < route.size(); ++i) {
    if (route[i] != ':' || out.back() != '/') {
      out += route[i];
      continue;
    }
    const std::size_t end = std::min(route.find_first_of(":/", i + 1), route.size());
    out += "{" + std::string(route.substr(i + 1, end - i - 1)) + "}";
    i = end - 1;
  }
  return out;
}

TEST_F(Gateway, DescribesEveryRouteOfTheShop) {
  const Response response = call("GET", "/openapi.json");
  ASSERT_EQ(response.status, 200);
  const auto document = degu::json::Document::parse(response.body);
  const degu::json::Value paths = document.root().find("paths").value();
  std::size_t described = 0;
  for (const std::string& route : router_.routes()) {
    const std::size_t space = route.find(' ');
    if (!std::string_view(route).substr(space + 1).starts_with("/api/v1/")) continue;
    const std::map<std::string, std::string> methods = {
        {"GET", "get"}, {"PUT", "put"}, {"POST", "post"}, {"DELETE", "delete"}};
    const auto item = paths.find(path_template(std::string_view(route).substr(space + 1)));
    EXPECT_TRUE(item && item->find(methods.at(route.substr(0, space)))) << route;
    ++described;
  }
  EXPECT_EQ(described, 18U);
}

TEST_F(Gateway, HasASoundDocument) {
  const auto document = degu::json::Document::parse(call("GET", "/openapi.json").body);
  const degu::json::Value components = document.root().find("components").value();
  std::set<std::string> references;
  collect_references(document.root(), references);
  EXPECT_TRUE(references.contains("#/components/schemas/Order"));
  for (const std::string& reference : references) {
    ASSERT_TRUE(reference.starts_with("#/components/")) << reference;
    const std::string rest = reference.substr(13);
    const auto group = components.find(rest.substr(0, rest.find('/')));
    EXPECT_TRUE(group && group->find(rest.substr(rest.find('/') + 1))) << reference;
  }
  std::set<std::string> ids;
  document.root().find("paths")->each_member([&](std::string_view path, degu::json::Value item) {
    item.each_member([&](std::string_view, degu::json::Value operation) {
      EXPECT_TRUE(ids.emplace(operation.find("operationId")->string().value()).second) << path;
      EXPECT_FALSE(operation.find("summary")->string().value().empty()) << path;
      std::size_t in_path = 0;
      operation.find("parameters")->each_element([&](degu::json::Value parameter) {
        if (parameter.find("in")->string() != "path") return;
        const std::string name(parameter.find("name")->string().value());
        EXPECT_NE(path.find("{" + name + "}"), std::string_view::npos) << path;
        ++in_path;
      });
      EXPECT_EQ(in_path, static_cast<std::size_t>(std::count(path.begin(), path.end(), '{'))) << path;
    });
  });
  EXPECT_TRUE(ids.contains("OrderService_PlaceOrder"));
}

TEST_F(Gateway, DescribesWhoMayCall) {
  const auto document = degu::json::Document::parse(call("GET", "/openapi.json").body);
  const degu::json::Value paths = document.root().find("paths").value();
  const degu::json::Value cart = paths.find("/api/v1/cart")->find("get").value();
  EXPECT_TRUE(cart.find("security"));
  EXPECT_TRUE(cart.find("responses")->find("401"));
  EXPECT_FALSE(paths.find("/api/v1/products")->find("get")->find("security"));
  EXPECT_TRUE(document.root().find("components")->find("securitySchemes")->find("bearer"));
}

TEST_F(Gateway, DescribesTheEventsOfAnOrder) {
  const auto document = degu::json::Document::parse(call("GET", "/openapi.json").body);
  const degu::json::Value events =
      document.root().find("paths")->find("/api/v1/orders/{id}/events")->find("get").value();
  EXPECT_TRUE(events.find("security"));
  const degu::json::Value responses = events.find("responses").value();
  EXPECT_TRUE(responses.find("200")->find("content")->find("text/event-stream"));
  EXPECT_TRUE(responses.find("401"));
  EXPECT_TRUE(responses.find("404"));
  std::set<std::string> parameters;
  events.find("parameters")->each_element([&](degu::json::Value parameter) {
    parameters.emplace(std::string(parameter.find("in")->string().value()) + " " +
                       std::string(parameter.find("name")->string().value()));
  });
  EXPECT_EQ(parameters, (std::set<std::string>{"path id", "header Last-Event-ID"}));
}

TEST_F(Gateway, ServesThePageOfTheDocument) {
  EXPECT_EQ(call("GET", "/docs/").header("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(call("GET", "/docs").header("location"), "docs/");
}

TEST_F(Gateway, WantsACallerWhereItMatters) {
  for (const auto& [method, target] :
       std::vector<std::pair<std::string, std::string>>{{"GET", "/api/v1/cart"},
                                                        {"DELETE", "/api/v1/cart"},
                                                        {"PUT", "/api/v1/cart/items/A"},
                                                        {"DELETE", "/api/v1/cart/items/A"},
                                                        {"POST", "/api/v1/orders"},
                                                        {"GET", "/api/v1/orders"},
                                                        {"GET", "/api/v1/orders/1"},
                                                        {"GET", "/api/v1/orders/1/events"},
                                                        {"POST", "/api/v1/orders/1:cancel"},
                                                        {"GET", "/api/v1/notifications"}}) {
    const Response response = call(method, target);
    EXPECT_EQ(response.status, 401) << method << ' ' << target;
    EXPECT_EQ(response.header("content-type"), "application/problem+json");
    EXPECT_EQ(response.header("www-authenticate"), "Bearer realm=\"shop\"");
    EXPECT_EQ(field(response, "code"), "UNAUTHENTICATED");
  }
}

TEST_F(Gateway, RefusesOtherCredentials) {
  for (const std::string& header :
       {std::string("Bearer bad"), std::string("Basic Z29vZA=="), std::string("Bearer "),
        std::string("Bearer"), std::string("good"), "Bearer " + std::string(5000, 'a')}) {
    EXPECT_EQ(call("GET", "/api/v1/cart", {}, {{"Authorization", header}}).status, 401)
        << header.substr(0, 40);
  }
}

TEST_F(Gateway, PassesTheCallerOn) {
  EXPECT_EQ(field(call("GET", "/api/v1/users/3", {}, kUser), "name"), "seen by 7");
  EXPECT_EQ(field(call("GET", "/api/v1/users/3", {}, {{"Authorization", "bEARER  good"}}), "name"),
            "seen by 7");
  EXPECT_EQ(field(call("GET", "/api/v1/users/3"), "name"), "seen by ");
  // What a client calls itself counts for nothing.
  EXPECT_EQ(field(call("GET", "/api/v1/users/3", {}, {{"x-user-id", "1"}}), "name"), "seen by ");
  Headers headers = kUser;
  headers.emplace_back("Idempotency-Key", "key-1");
  const Response placed =
      call("POST", "/api/v1/orders", R"({"paymentMethod":{"card":"4242424242424242"}})", headers);
  EXPECT_EQ(placed.status, 201) << placed.body;
  EXPECT_EQ(field(placed, "userId"), "7");
  EXPECT_EQ(field(placed, "id"), "key-1");
}

TEST_F(Gateway, BindsPathsQueriesAndBodies) {
  EXPECT_EQ(field(call("GET", "/api/v1/products?q=tea%20pot&category=k&page_size=5"), "nextPageToken"),
            "tea pot|k|5");
  EXPECT_EQ(field(call("GET", "/api/v1/inventory/A%2D1"), "sku"), "A-1");
  EXPECT_EQ(field(call("POST", "/api/v1/orders/17:cancel", "{}", kUser), "id"), "cancelled 17");
  EXPECT_EQ(call("PUT", "/api/v1/cart/items/A-1", R"({"quantity":3})", kUser).status, 200);
}

TEST_F(Gateway, TellsOfEveryStateOfAnOrder) {
  const Response response = call("GET", "/api/v1/orders/9/events", {}, kUser);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "text/event-stream");
  EXPECT_EQ(response.body,
            ":\n\n"
            "event: state\nid: 1\nretry: 1000\ndata: {\"state\":\"PENDING\",\"reason\":\"\"}\n\n"
            "event: state\nid: 2\nretry: 1000\ndata: {\"state\":\"RESERVED\",\"reason\":\"\"}\n\n"
            "event: state\nid: 3\nretry: 1000\ndata: {\"state\":\"REJECTED\",\"reason\":\"declined\"}\n\n");
}

TEST_F(Gateway, TellsHeadOfNoEvents) {
  const Response response = call("HEAD", "/api/v1/orders/9/events", {}, kUser);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "");
}

TEST_F(Gateway, GoesOnBehindTheLastEventThatWasSeen) {
  const auto first_id = [&](std::string_view seen) {
    Headers headers = kUser;
    headers.emplace_back("Last-Event-ID", seen);
    const std::string body = call("GET", "/api/v1/orders/9/events", {}, headers).body;
    const std::size_t at = body.find("id: ");
    return at == std::string::npos ? "" : body.substr(at + 4, 1);
  };
  EXPECT_EQ(first_id("1"), "2");
  EXPECT_EQ(first_id("2"), "3");
  for (const char* strange : {"", "0", "3", "-1", "1x", "99999999999999999999", "\"1\""})
    EXPECT_EQ(first_id(strange), "1") << strange;
}

TEST_F(Gateway, TellsOfAnOrderItsOwnerOnly) {
  EXPECT_EQ(call("GET", "/api/v1/orders/8/events", {}, kUser).status, 404);
  EXPECT_EQ(call("GET", "/api/v1/orders/9/events", {}, {{"Authorization", "Bearer bad"}}).status, 401);
  EXPECT_EQ(call("GET", "/api/v1/orders/9/events?seen=1", {}, kUser).status, 400);
  EXPECT_EQ(call("GET", "/api/v1/orders/" + std::string(65, '9') + "/events", {}, kUser).status, 400);
  // The cookie stands for the header there, and nowhere else.
  const auto with_cookie = [&](std::string_view target, std::string_view cookie, Headers headers = {}) {
    headers.emplace_back("Cookie", cookie);
    return call("GET", target, {}, headers).status;
  };
  EXPECT_EQ(with_cookie("/api/v1/orders/9/events", "shop-events=good"), 200);
  EXPECT_EQ(with_cookie("/api/v1/orders/9/events", "shop-events=bad"), 401);
  EXPECT_EQ(with_cookie("/api/v1/orders/9/events", "other=good"), 401);
  EXPECT_EQ(with_cookie("/api/v1/orders/9/events", "shop-events=good", {{"Authorization", "Bearer bad"}}),
            401);
  EXPECT_EQ(with_cookie("/api/v1/orders/9", "shop-events=good"), 401);
  EXPECT_EQ(with_cookie("/api/v1/cart", "shop-events=good"), 401);
}

TEST_F(Gateway, ReportsEveryFaultOfARequest) {
  const Response response =
      call("POST", "/api/v1/users", R"({"name":"","email":"nobody","password":"short"})");
  EXPECT_EQ(response.status, 400);
  const auto document = degu::json::Document::parse(response.body);
  std::set<std::string> fields;
  document.root().find("errors").value().each_element(
      [&](degu::json::Value error) { fields.emplace(error.find("field")->string().value_or("")); });
  EXPECT_EQ(fields, (std::set<std::string>{"name", "email", "password"}));
}

TEST_F(Gateway, MapsFailures) {
  EXPECT_EQ(call("GET", "/api/v1/products/9").status, 404);
  EXPECT_EQ(call("POST", "/api/v1/sessions", R"({"email":"a@b.cd","password":"password"})").status, 401);
  const Response internal = call("GET", "/api/v1/categories");
  EXPECT_EQ(internal.status, 500);
  EXPECT_EQ(internal.body.find("secret"), std::string::npos);
  EXPECT_EQ(call("PATCH", "/api/v1/products").status, 405);
  EXPECT_EQ(call("GET", "/api/v1/nothing", {}, {{"Accept", "text/html"}}).status, 404);
}

TEST_F(Gateway, ServesTheWebShop) {
  for (const char* page : {"/", "/products/1", "/cart", "/checkout", "/login", "/register", "/orders",
                           "/orders/1", "/notifications"}) {
    const Response response = call("GET", page);
    EXPECT_EQ(response.status, 200) << page;
    EXPECT_EQ(response.header("content-type"), "text/html; charset=utf-8") << page;
    EXPECT_NE(response.header("content-security-policy").find("script-src 'self'"), std::string_view::npos)
        << page;
    EXPECT_EQ(response.header("x-content-type-options"), "nosniff") << page;
  }
  EXPECT_EQ(call("GET", "/js/main.js").header("content-type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(call("GET", "/js/views/browse.js").status, 200);
  EXPECT_EQ(call("GET", "/css/shop.css").header("content-type"), "text/css; charset=utf-8");
  EXPECT_EQ(call("GET", "/icons/cart.svg").status, 200);
  EXPECT_EQ(call("GET", "/favicon.svg").header("content-type"), "image/svg+xml");
  EXPECT_EQ(call("GET", "/js/nothing.js").status, 404);
  EXPECT_EQ(call("GET", "/js/..%2findex.html").status, 400);
}

TEST_F(Gateway, HasAPictureOfEveryProduct) {
  for (const auto& product : catalog::builtin_catalog().products) {
    const Response response = call("GET", "/images/" + product.sku + ".svg");
    EXPECT_EQ(response.status, 200) << product.sku;
    EXPECT_EQ(response.header("content-type"), "image/svg+xml");
  }
  EXPECT_EQ(call("GET", "/images/nothing.svg").status, 404);
}

TEST_F(Gateway, ShowsBrowsersAPageAndProgramsAProblem) {
  const Response browser = call("GET", "/nowhere", {}, {{"Accept", "text/html,*/*"}});
  EXPECT_EQ(browser.status, 404);
  EXPECT_EQ(browser.header("content-type"), "text/html; charset=utf-8");
  const Response program = call("GET", "/nowhere");
  EXPECT_EQ(program.status, 404);
  EXPECT_EQ(program.header("content-type"), "application/problem+json");
}

// The pages obey their own policy: nothing inline.
TEST_F(Gateway, PagesHoldNoInlineCode) {
  const std::string page = call("GET", "/").body;
  for (const char* forbidden :
       {"<style", " style=", " onclick", " onload", "javascript:", "http://", "https://"}) {
    EXPECT_EQ(page.find(forbidden), std::string::npos) << forbidden;
  }
}

}  // namespace
}  // namespace shop::gateway
