// An order is acknowledged by one commit that holds the order, its idempotency key and its saga (and empties
// the cart it was made from). Whatever happens after that commit, the saga ends it; whatever happens before
// it, there is no order.
#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/rt/park.h>
#include <degu/store/idempotency.h>
#include <degu/store/sortable_id.h>
#include <fmt/core.h>
#include <shop/order/caller.h>
#include <shop/order/money.h>
#include <shop/order/order_saga.h>
#include <shop/order/order_state.h>
#include <shop/order/order_store.h>
#include <shop/order/orders.h>

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace shop::order {
namespace {

using degu::Code;
using degu::Error;
using degu::store::Idempotency;
using degu::store::SagaState;
using degu::store::Snapshot;
using degu::store::Transaction;
using State = v1::OrderState;

constexpr int kDefaultPage = 20;
constexpr int kLargestPage = 100;
constexpr int32_t kMostOfOne = 99;

std::string scope_of(const std::string& user) { return "place:" + user; }

// What makes two requests the same: the card and the lines as they were sent. The key is not part of it.
std::string fingerprint(const v1::PlaceOrderRequest& request) {
  std::string text = request.payment_method->card;
  for (const v1::ItemQuantity& item : request.items) {
    text += fmt::format("\n{}:{}\n{}", item.sku.size(), item.sku, item.quantity);
  }
  return text;
}

void check(const v1::PlaceOrderRequest& request) {
  std::vector<degu::ErrorDetail> wrong;
  if (request.idempotency_key.empty() || request.idempotency_key.size() > 128) {
    wrong.push_back({"Idempotency-Key", "is required, at most 128 characters"});
  }
  if (!request.payment_method || request.payment_method->card.empty()) {
    wrong.push_back({"paymentMethod.card", "is required"});
  }
  for (size_t i = 0; i < request.items.size(); ++i) {
    if (request.items[i].quantity < 1 || request.items[i].quantity > kMostOfOne) {
      wrong.push_back({fmt::format("items[{}].quantity", i), fmt::format("must be 1 to {}", kMostOfOne)});
    }
  }
  if (!wrong.empty()) throw Error(Code::kInvalidArgument, "the order is not valid", std::move(wrong));
}

// The lines to order: one a SKU, in order of first mention.
std::vector<CartLine> merged(const std::vector<v1::ItemQuantity>& items) {
  std::vector<CartLine> lines;
  for (const v1::ItemQuantity& item : items) {
    const auto same =
        std::find_if(lines.begin(), lines.end(), [&](const CartLine& l) { return l.sku == item.sku; });
    if (same == lines.end()) {
      lines.push_back({item.sku, item.quantity});
    } else {
      same->quantity += item.quantity;
    }
  }
  return lines;
}

// A rejected order is an answer of PlaceOrder only as a refusal that names it.
void throw_if_rejected(const v1::Order& order) {
  if (order.state != State::kRejected) return;
  throw Error(Code::kFailedPrecondition, fmt::format("the order was rejected: {}", order.failure_reason),
              {{"orderId", order.id}});
}

class Orders final : public v1::OrderService {
 public:
  explicit Orders(OrderParts parts) : parts_(std::move(parts)) {}

  v1::Order place_order(const v1::PlaceOrderRequest& request) override {
    const std::string user = caller();
    check(request);
    const std::string id = known_order(user, request).value_or("");
    if (!id.empty()) return answer(user, id);
    for (int attempt = 1;; ++attempt) {
      try {
        return answer(user, accept(user, request));
      } catch (const CartChanged&) {  // between pricing and commit
        if (attempt == 5) throw Error(Code::kAborted, "the cart keeps changing; try again");
      }
    }
  }

  v1::Order get_order(const v1::GetOrderRequest& request) override { return existing(caller(), request.id); }

  v1::Order watch_order(const v1::WatchOrderRequest& request) override {
    const std::string user = caller();
    const degu::TimePoint until = degu::after_delay(degu::now(), parts_.deps->watch_for);
    OrderWatch::Watcher watcher(*parts_.watch, request.id);  // before it is read: no change is missed
    for (;;) {
      v1::Order order = existing(user, request.id);
      if (std::ssize(order.history) > request.seen || has_ended(order.state)) return order;
      if (!watcher.wait_until(until)) return order;
    }
  }

  v1::ListOrdersResponse list_orders(const v1::ListOrdersRequest& request) override {
    const std::string user = caller();
    const int size = request.page_size <= 0 ? kDefaultPage : std::min(request.page_size, kLargestPage);
    v1::ListOrdersResponse response;
    response.orders = parts_.database->read(
        [&](Snapshot& snapshot) { return load_orders(snapshot, user, request.page_token, size + 1); });
    if (std::ssize(response.orders) > size) {
      response.orders.pop_back();
      response.next_page_token = response.orders.back().id;
    }
    return response;
  }

  v1::Order cancel_order(const v1::CancelOrderRequest& request) override {
    const std::string user = caller();
    // Each round the order has moved on, towards one of its three ends; they are few.
    for (int round = 0; round < 5; ++round) {
      const v1::Order order = existing(user, request.id);
      switch (order.state) {
        case State::kCancelled:
          finish(cancel_id(order.id));
          return existing(user, order.id);
        case State::kRejected:
          throw Error(Code::kFailedPrecondition, "the order was rejected, there is nothing to cancel");
        case State::kCaptured:
          take_back(order.id);
          break;
        default:
          parts_.engine->abort(order.id, "cancelled by the customer");
          finish(order.id);
      }
    }
    throw Error(Code::kAborted, "the order is on its way to an end; try again");
  }

 private:
  struct CartChanged {};

  v1::Order existing(const std::string& user, const std::string& id) {
    auto order = parts_.database->read([&](Snapshot& snapshot) { return load_order(snapshot, id, user); });
    if (!order) throw Error(Code::kNotFound, fmt::format("there is no order {}", id));
    return *std::move(order);
  }

  std::optional<std::string> known_order(const std::string& user, const v1::PlaceOrderRequest& request) {
    return parts_.database->read([&](Snapshot& snapshot) {
      return Idempotency::find(snapshot, scope_of(user), request.idempotency_key, fingerprint(request));
    });
  }

  // Commits the order; returns its id, or that of the order which the key has got meanwhile.
  std::string accept(const std::string& user, const v1::PlaceOrderRequest& request) {
    const bool from_cart = request.items.empty();
    const std::vector<CartLine> lines =
        from_cart ? parts_.database->read([&](Snapshot& snapshot) { return load_cart(snapshot, user); })
                  : merged(request.items);
    if (lines.empty()) {
      // A concurrent request with this key may have just taken the cart.
      if (auto id = known_order(user, request)) return *std::move(id);
      throw Error(Code::kInvalidArgument, "the cart is empty", {{"items", "nothing to order"}});
    }
    const v1::Order order = priced(user, lines);
    parts_.crash->reach("pending", false);
    std::string id = parts_.database->write([&](Transaction& tx) {
      const std::string scope = scope_of(user);
      const std::string print = fingerprint(request);
      if (auto known = Idempotency::find(tx, scope, request.idempotency_key, print)) return *std::move(known);
      if (from_cart) {
        if (load_cart(tx, user) != lines) throw CartChanged();
        tx.exec("DELETE FROM cart_items WHERE user_id=?", user);
      }
      const std::string& card = request.payment_method->card;
      insert_order(tx, order, card.substr(card.size() - std::min<size_t>(card.size(), 4)), from_cart);
      parts_.engine->begin(tx, kPlaceSaga, order.id, card);
      Idempotency::remember(tx, scope, request.idempotency_key, print, order.id);
      return order.id;
    });
    parts_.crash->reach("pending", true);
    return id;
  }

  v1::Order priced(const std::string& user, const std::vector<CartLine>& lines) {
    catalog::v1::ListBySkuRequest wanted;
    for (const CartLine& line : lines) wanted.skus.push_back(line.sku);
    auto found = parts_.deps->catalog->list_by_sku(wanted);
    std::unordered_map<std::string, catalog::v1::Product> products;
    for (auto& product : found.products) products.emplace(product.sku, std::move(product));
    v1::Order order;
    order.id = degu::store::sortable_id();
    order.user_id = user;
    order.total.emplace();
    std::vector<degu::ErrorDetail> wrong;
    for (size_t i = 0; i < lines.size(); ++i) {
      const auto at = products.find(lines[i].sku);
      if (at == products.end() || !at->second.price) {
        wrong.push_back(
            {fmt::format("items[{}].sku", i), fmt::format("there is no product {}", lines[i].sku)});
        continue;
      }
      if (lines[i].quantity > kMostOfOne) {
        wrong.push_back(
            {fmt::format("items[{}].quantity", i), fmt::format("at most {} of one product", kMostOfOne)});
        continue;
      }
      const common::v1::Money& price = *at->second.price;
      if (order.items.empty()) order.total->currency = price.currency;
      if (order.total->currency != price.currency) {
        throw Error(Code::kFailedPrecondition, "one order cannot mix currencies");
      }
      order.total->minor = add_times(order.total->minor, price.minor, lines[i].quantity);
      v1::OrderItem item;
      item.sku = lines[i].sku;
      item.name = at->second.name;
      item.quantity = lines[i].quantity;
      item.price = price;
      order.items.push_back(std::move(item));
    }
    if (!wrong.empty()) throw Error(Code::kInvalidArgument, "the order is not valid", std::move(wrong));
    return order;
  }

  v1::Order answer(const std::string& user, const std::string& id) {
    finish(id);
    v1::Order order = existing(user, id);
    throw_if_rejected(order);
    return order;
  }

  // Sees to it that the saga runs, and waits for its end, but not longer than an answer may take.
  void finish(const std::string& saga) {
    parts_.engine->launch(saga);
    try {
      degu::CancelScope scope(parts_.deps->answer_within);
      parts_.engine->wait(saga);
    } catch (const degu::DeadlineExceeded&) {
      if (degu::rt::interrupted()) throw;  // the caller's own deadline
    }
  }

  void take_back(const std::string& id) {
    parts_.database->write([&](Transaction& tx) {
      if (tx.value<std::string>("SELECT state FROM orders WHERE id=?", id) != "CAPTURED")
        return;  // somebody was faster
      set_state(tx, id, State::kCancelled, "cancelled by the customer");
      parts_.engine->begin(tx, kCancelSaga, cancel_id(id), id);
    });
    parts_.watch->changed(id);
  }

  OrderParts parts_;
};

}  // namespace

std::shared_ptr<v1::OrderService> make_orders(OrderParts parts) {
  return std::make_shared<Orders>(std::move(parts));
}

}  // namespace shop::order
