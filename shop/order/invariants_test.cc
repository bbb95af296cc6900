// The shop's invariants, judged through the services' own answers; used by the other tests of this folder.
#include <degu/base/testing/temp_dir.h>
#include <degu/base/time.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <shop/order/test_shop.h>

#include <map>
#include <optional>

namespace shop::order {
namespace {

using Broken = std::vector<std::string>;

std::optional<payment::v1::Payment> payment_of(TestShop& shop, const std::string& order) {
  try {
    return shop.payment->get_payment({.order_id = order});
  } catch (const degu::Error& error) {
    if (error.code() != degu::Code::kNotFound) throw;
    return std::nullopt;
  }
}

void judge_money(TestShop& shop, const v1::Order& order, Broken& broken) {
  using PaymentState = payment::v1::PaymentState;
  const auto payment = payment_of(shop, order.id);
  const bool holds =
      payment && (payment->state == PaymentState::kAuthorized || payment->state == PaymentState::kCaptured);
  if (order.state == v1::OrderState::kCaptured) {
    if (!payment || payment->state != PaymentState::kCaptured ||
        payment->amount->minor != order.total->minor) {
      broken.push_back(fmt::format("order {} is captured, its payment is not", order.id));
    }
  } else if (holds) {
    broken.push_back(fmt::format("order {} is {}, yet money is held", order.id, to_string(order.state)));
  }
}

void judge_order(const v1::Order& order, Broken& broken) {
  const bool ended = order.state == v1::OrderState::kCaptured || order.state == v1::OrderState::kCancelled ||
                     order.state == v1::OrderState::kRejected;
  if (!ended) broken.push_back(fmt::format("order {} is still {}", order.id, to_string(order.state)));
  int64_t worth = 0;
  for (const v1::OrderItem& item : order.items) worth += item.price->minor * item.quantity;
  if (worth != order.total->minor || order.items.empty())
    broken.push_back(fmt::format("order {} does not add up", order.id));
  if (order.history.empty() || order.history.back().state != order.state) {
    broken.push_back(fmt::format("the history of order {} does not end in its state", order.id));
  }
}

}  // namespace

std::vector<std::string> broken_invariants(TestShop& shop, const std::vector<std::string>& users) {
  Broken broken;
  std::map<std::string, int64_t> sold;
  for (const std::string& user : users) {
    std::map<std::string, int> told;
    for (const auto& n : all_notifications(shop, user)) ++told[n.order_id];
    for (const v1::Order& order : all_orders(shop, user)) {
      judge_order(order, broken);
      judge_money(shop, order, broken);
      const bool captured = order.state == v1::OrderState::kCaptured;
      if (captured) {
        for (const v1::OrderItem& item : order.items) sold[item.sku] += item.quantity;
      }
      const int times = told[order.id];
      if (times > 1 || (captured && times == 0) || (order.state == v1::OrderState::kRejected && times > 0)) {
        broken.push_back(
            fmt::format("order {} ({}) has {} notifications", order.id, to_string(order.state), times));
      }
    }
  }
  for (const char* sku : {"a", "b", "c"}) {
    const auto stock = shop.inventory->get_stock({.sku = sku});
    if (stock.free < 0 || stock.reserved != 0 || stock.sold != sold[sku] ||
        stock.free + stock.reserved + stock.sold != stock.initial) {
      broken.push_back(fmt::format("stock of {}: free {} reserved {} sold {}, captured orders hold {}", sku,
                                   stock.free, stock.reserved, stock.sold, sold[sku]));
    }
  }
  return broken;
}

std::vector<std::string> settle(TestShop& shop, const std::vector<std::string>& users,
                                std::chrono::seconds patience) {
  const degu::TimePoint end = degu::now() + patience;
  for (;;) {
    auto broken = broken_invariants(shop, users);
    if (broken.empty() || degu::now() > end) return broken;
    degu::sleep(std::chrono::milliseconds(10));
  }
}

TEST(Invariants, SeeAnOrderThatIsNotCaptured) {
  degu::testing::TempDir dir;
  degu::run([&] {
    TestShop shop(dir.path());
    {
      const As as("u1");
      shop.orders->place_order(order_request("k", {{"a", 1}}));
    }
    EXPECT_TRUE(settle(shop, {"u1"}).empty());
    EXPECT_FALSE(broken_invariants(shop, {"nobody"}).empty()) << "sold stock without an order goes unnoticed";
  });
}

}  // namespace shop::order
