#include <degu/base/testing/temp_dir.h>
#include <degu/context/cancel_scope.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <shop/order/crash_point.h>
#include <shop/order/order_state.h>
#include <shop/order/test_shop.h>

#include <atomic>
#include <set>

namespace shop::order {
namespace {

using degu::Code;
using degu::Error;
using State = v1::OrderState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

struct Refusal {
  Code code = Code::kOk;
  std::string order_id;
  std::string message;
};

Refusal refusal(auto&& body) {
  try {
    body();
  } catch (const Error& error) {
    Refusal made{error.code(), "", error.message()};
    for (const auto& detail : error.details()) {
      if (detail.field == "orderId") made.order_id = detail.reason;
    }
    return made;
  }
  return {};
}

std::vector<State> history(const v1::Order& order) {
  std::vector<State> states;
  for (const auto& event : order.history) states.push_back(event.state);
  return states;
}

class OrderTest : public ::testing::Test {
 protected:
  template <class F>
  void with_shop(F body) {
    degu::run([&] {
      TestShop shop(dir_.path());
      body(shop);
      EXPECT_THAT(settle(shop, {"u1", "u2"}), IsEmpty());
    });
  }
  static v1::Order place(TestShop& shop, const v1::PlaceOrderRequest& request,
                         const std::string& user = "u1") {
    const As as(user);
    return shop.orders->place_order(request);
  }
  static v1::Order get(TestShop& shop, const std::string& id, const std::string& user = "u1") {
    const As as(user);
    return shop.orders->get_order({.id = id});
  }
  static v1::Order cancel(TestShop& shop, const std::string& id, const std::string& user = "u1") {
    const As as(user);
    return shop.orders->cancel_order({.id = id});
  }
  static v1::Cart put(TestShop& shop, const std::string& sku, int32_t quantity) {
    const As as("u1");
    return shop.carts->set_cart_item({.sku = sku, .quantity = quantity});
  }
  static v1::Cart cart(TestShop& shop) {
    const As as("u1");
    return shop.carts->get_cart({});
  }
  degu::testing::TempDir dir_;
};

TEST_F(OrderTest, AnOrderIsCaptured) {
  with_shop([](TestShop& shop) {
    const v1::Order order = place(shop, order_request("k1", {{"a", 2}, {"b", 1}, {"a", 1}}));
    EXPECT_EQ(order.state, State::kCaptured);
    EXPECT_EQ(order.total->minor, 3250);
    EXPECT_EQ(order.total->currency, "EUR");
    EXPECT_EQ(order.user_id, "u1");
    ASSERT_EQ(order.items.size(), 2U);
    EXPECT_EQ(order.items[0].quantity, 3);
    EXPECT_EQ(order.items[0].name, "Product a");
    EXPECT_THAT(history(order), ElementsAre(State::kPending, State::kReserved, State::kAuthorized,
                                            State::kConfirmed, State::kCaptured));
    EXPECT_EQ(get(shop, order.id), order);
    EXPECT_EQ(refusal([&] { get(shop, order.id, "u2"); }).code, Code::kNotFound);
    EXPECT_EQ(refusal([&] { get(shop, "nonsense"); }).code, Code::kNotFound);
  });
}

TEST_F(OrderTest, WithoutAUserNothingGoes) {
  with_shop([](TestShop& shop) {
    EXPECT_EQ(refusal([&] {
                shop.orders->place_order(order_request("k", {{"a", 1}}));
              }).code,
              Code::kUnauthenticated);
    EXPECT_EQ(refusal([&] { shop.orders->list_orders({}); }).code, Code::kUnauthenticated);
    EXPECT_EQ(refusal([&] { shop.carts->get_cart({}); }).code, Code::kUnauthenticated);
  });
}

// Does not decide before it is told to.
class SlowBank final : public payment::PaymentProvider {
 public:
  payment::AuthorizeResult authorize(const payment::Charge& charge) override {
    asked.send(1);
    go_on.recv();
    return sandbox_->authorize(charge);
  }
  void capture(const std::string& key) override { sandbox_->capture(key); }
  void cancel(const std::string& key) override { sandbox_->cancel(key); }
  void refund(const std::string& key) override { sandbox_->refund(key); }

  degu::Chan<int> asked = degu::make_chan<int>(10);
  degu::Chan<int> go_on = degu::make_chan<int>(10);

 private:
  std::shared_ptr<payment::PaymentProvider> sandbox_ = payment::make_sandbox_provider();
};

v1::Order watch(TestShop& shop, const std::string& id, std::size_t seen, const std::string& user = "u1") {
  const As as(user);
  return shop.orders->watch_order({.id = id, .seen = static_cast<int32_t>(seen)});
}

// Entry by entry, as a client does that is told of each.
std::vector<State> followed(TestShop& shop, const std::string& id) {
  std::vector<State> states;
  for (;;) {
    const v1::Order order = watch(shop, id, states.size());
    for (std::size_t i = states.size(); i < order.history.size(); ++i)
      states.push_back(order.history[i].state);
    if (has_ended(order.state)) return states;
  }
}

TEST_F(OrderTest, IsWatchedFromEntryToEntry) {
  degu::run([&] {
    const auto bank = std::make_shared<SlowBank>();
    TestShop shop(dir_.path(), "", 20s, 60s, bank);
    degu::WaitGroup placing;
    placing.go([&] { place(shop, order_request("k", {{"a", 1}})); });
    bank->asked.recv();
    const std::string id = all_orders(shop, "u1").at(0).id;
    const v1::Order waiting = watch(shop, id, 1);
    EXPECT_THAT(history(waiting), ElementsAre(State::kPending, State::kReserved));
    EXPECT_EQ(watch(shop, id, 2), waiting) << "nothing has happened for a while";
    EXPECT_EQ(refusal([&] { watch(shop, id, 0, "u2"); }).code, Code::kNotFound);
    EXPECT_EQ(refusal([&] { watch(shop, "nonsense", 0); }).code, Code::kNotFound);
    EXPECT_EQ(refusal([&] { watch(shop, id, static_cast<std::size_t>(-1)); }).code, Code::kInvalidArgument);
    EXPECT_EQ(refusal([&] { shop.orders->watch_order({.id = id, .seen = 0}); }).code, Code::kUnauthenticated);
    degu::WaitGroup watching;
    for (int i = 0; i < 3; ++i) {
      watching.go([&] {
        EXPECT_THAT(followed(shop, id), ElementsAre(State::kPending, State::kReserved, State::kAuthorized,
                                                    State::kConfirmed, State::kCaptured));
      });
    }
    bank->go_on.send(1);
    watching.wait();
    placing.wait();
    EXPECT_EQ(watch(shop, id, 5).state, State::kCaptured) << "it has ended: no wait";
    cancel(shop, id);
    EXPECT_EQ(history(watch(shop, id, 5)).back(), State::kCancelled);
    EXPECT_EQ(watch(shop, id, 0).history.back().reason, "cancelled by the customer");
    EXPECT_THAT(settle(shop, {"u1", "u2"}), IsEmpty());
  });
}

TEST_F(OrderTest, WhoWatchesSeesWhyItFails) {
  degu::run([&] {
    const auto bank = std::make_shared<SlowBank>();
    TestShop shop(dir_.path(), "", 20s, 60s, bank);
    degu::WaitGroup placing;
    placing.go([&] {
      EXPECT_EQ(refusal([&] {
                  place(shop, order_request("k", {{"a", 1}}, kDeclinedCard));
                }).code,
                Code::kFailedPrecondition);
    });
    bank->asked.recv();
    const std::string id = all_orders(shop, "u1").at(0).id;
    bank->go_on.send(1);
    EXPECT_THAT(followed(shop, id), ElementsAre(State::kPending, State::kReserved, State::kRejected));
    const v1::Order order = watch(shop, id, 0);
    EXPECT_THAT(order.history.back().reason, ::testing::HasSubstr("declined"));
    EXPECT_EQ(order.history.front().reason, "");
    placing.wait();
    EXPECT_THAT(settle(shop, {"u1", "u2"}), IsEmpty());
  });
}

TEST_F(OrderTest, RefusedCardsRejectTheOrder) {
  with_shop([](TestShop& shop) {
    for (const char* card : {kDeclinedCard, "4000000000009995", kSilentCard}) {
      const auto request = order_request(std::string("k-") + card, {{"b", 5}}, card);
      const Refusal refused = refusal([&] { place(shop, request); });
      EXPECT_EQ(refused.code, Code::kFailedPrecondition);
      const v1::Order order = get(shop, refused.order_id);
      EXPECT_EQ(order.state, State::kRejected);
      EXPECT_FALSE(order.failure_reason.empty());
      EXPECT_EQ(history(order).back(), State::kRejected);
      EXPECT_EQ(refusal([&] { place(shop, request); }).order_id, order.id) << "a repeat tells the same";
      EXPECT_EQ(refusal([&] { cancel(shop, order.id); }).code, Code::kFailedPrecondition);
    }
    EXPECT_EQ(shop.inventory->get_stock({.sku = "b"}).free, 5);
  });
}

TEST_F(OrderTest, ShortStockRejectsTheOrder) {
  with_shop([](TestShop& shop) {
    const Refusal refused = refusal([&] { place(shop, order_request("k", {{"a", 1}, {"b", 6}})); });
    EXPECT_EQ(refused.code, Code::kFailedPrecondition);
    EXPECT_THAT(refused.message, ::testing::HasSubstr("not enough stock of b"));
    EXPECT_FALSE(refused.order_id.empty());
  });
}

TEST_F(OrderTest, WhatIsWrongMakesNoOrder) {
  with_shop([](TestShop& shop) {
    EXPECT_EQ(refusal([&] { place(shop, order_request("k", {})); }).code, Code::kInvalidArgument)
        << "empty cart";
    EXPECT_EQ(refusal([&] { place(shop, order_request("", {{"a", 1}})); }).code, Code::kInvalidArgument);
    EXPECT_EQ(refusal([&] { place(shop, order_request("k", {{"zzz", 1}})); }).code, Code::kInvalidArgument);
    EXPECT_EQ(refusal([&] { place(shop, order_request("k", {{"a", 0}})); }).code, Code::kInvalidArgument);
    EXPECT_EQ(refusal([&] {
                place(shop, order_request("k", {{"a", 60}, {"a", 60}}));
              }).code,
              Code::kInvalidArgument);
    EXPECT_EQ(refusal([&] {
                place(shop, order_request("k", {{"a", 1}}, "not a card"));
              }).code,
              Code::kInvalidArgument);
    EXPECT_EQ(refusal([&] {
                place(shop, order_request("k", {{"a", 1}, {"c", 1}}));
              }).code,
              Code::kFailedPrecondition);
    EXPECT_THAT(all_orders(shop, "u1"), IsEmpty());
  });
}

TEST_F(OrderTest, AKeyIsOneOrder) {
  with_shop([](TestShop& shop) {
    const v1::Order order = place(shop, order_request("k", {{"a", 1}}));
    EXPECT_EQ(place(shop, order_request("k", {{"a", 1}})), order);
    const Refusal other = refusal([&] { place(shop, order_request("k", {{"a", 2}})); });
    EXPECT_EQ(other.code, Code::kAlreadyExists);
    EXPECT_EQ(other.order_id, "");
    EXPECT_EQ(refusal([&] {
                place(shop, order_request("k", {{"a", 1}}, "4242424242424243"));
              }).code,
              Code::kAlreadyExists);
    EXPECT_NE(place(shop, order_request("k", {{"a", 1}}), "u2").id, order.id) << "keys belong to their user";
    degu::WaitGroup wg;
    std::set<std::string> ids;
    for (int i = 0; i < 20; ++i) {
      wg.go([&] {
        const std::string id = place(shop, order_request("many", {{"a", 1}})).id;
        static degu::rt::Lock lock;
        std::lock_guard guard(lock);
        ids.insert(id);
      });
    }
    wg.wait();
    EXPECT_EQ(ids.size(), 1U);
    EXPECT_EQ(all_orders(shop, "u1").size(), 2U);
  });
}

TEST_F(OrderTest, TheCart) {
  with_shop([](TestShop& shop) {
    EXPECT_THAT(cart(shop).items, IsEmpty());
    EXPECT_EQ(cart(shop).total->minor, 0);
    put(shop, "b", 1);
    put(shop, "a", 3);
    const v1::Cart full = put(shop, "b", 2);
    ASSERT_EQ(full.items.size(), 2U);
    EXPECT_EQ(full.items[0].sku, "b") << "in the order of putting in";
    EXPECT_EQ(full.items[0].quantity, 2);
    EXPECT_EQ(full.items[0].product_id, "p-b");
    EXPECT_EQ(full.total->minor, 3500);
    EXPECT_EQ(refusal([&] { put(shop, "zzz", 1); }).code, Code::kNotFound);
    EXPECT_EQ(refusal([&] { put(shop, "a", 0); }).code, Code::kInvalidArgument);
    EXPECT_EQ(refusal([&] { put(shop, "a", 100); }).code, Code::kInvalidArgument);
    const As as("u1");
    EXPECT_EQ(shop.carts->remove_cart_item({.sku = "b"}).items.size(), 1U);
    EXPECT_EQ(shop.carts->remove_cart_item({.sku = "b"}).items.size(), 1U);
    EXPECT_THAT(shop.carts->clear_cart({}).items, IsEmpty());
  });
}

TEST_F(OrderTest, TheCartIsOrderedOnce) {
  with_shop([](TestShop& shop) {
    put(shop, "a", 2);
    const v1::Order order = place(shop, order_request("k", {}));
    EXPECT_EQ(order.total->minor, 2000);
    EXPECT_THAT(cart(shop).items, IsEmpty());
    EXPECT_EQ(place(shop, order_request("k", {})).id, order.id);
    EXPECT_EQ(refusal([&] { place(shop, order_request("k2", {})); }).code, Code::kInvalidArgument);
  });
}

TEST_F(OrderTest, ARefusedOrderGivesTheCartBack) {
  with_shop([](TestShop& shop) {
    put(shop, "b", 1);
    put(shop, "a", 2);
    EXPECT_EQ(refusal([&] { place(shop, order_request("k", {}, kDeclinedCard)); }).code,
              Code::kFailedPrecondition);
    const v1::Cart back = cart(shop);
    ASSERT_EQ(back.items.size(), 2U);
    EXPECT_EQ(back.items[0].sku, "b");
    EXPECT_EQ(back.items[1].quantity, 2);
  });
}

TEST_F(OrderTest, ACapturedOrderIsCancelled) {
  with_shop([](TestShop& shop) {
    const v1::Order order = place(shop, order_request("k", {{"b", 5}}));
    EXPECT_EQ(refusal([&] { cancel(shop, order.id, "u2"); }).code, Code::kNotFound);
    degu::WaitGroup wg;
    for (int i = 0; i < 8; ++i) wg.go([&] { EXPECT_EQ(cancel(shop, order.id).state, State::kCancelled); });
    wg.wait();
    EXPECT_EQ(history(get(shop, order.id)).back(), State::kCancelled);
    EXPECT_EQ(shop.payment->get_payment({.order_id = order.id}).state, payment::v1::PaymentState::kRefunded);
    EXPECT_EQ(shop.inventory->get_stock({.sku = "b"}).free, 5);
    EXPECT_EQ(place(shop, order_request("k", {{"b", 5}})).state, State::kCancelled);
  });
}

TEST_F(OrderTest, CancelWhileItIsPlaced) {
  with_shop([](TestShop& shop) {
    for (int i = 0; i < 15; ++i) {
      const std::string key = "k" + std::to_string(i);
      degu::WaitGroup wg;
      wg.go([&] { refusal([&] { place(shop, order_request(key, {{"a", 1}})); }); });
      std::vector<v1::Order> orders;
      while (std::ssize(orders) < i + 1) {
        orders = all_orders(shop, "u1");
        degu::yield();
      }
      EXPECT_EQ(cancel(shop, orders.front().id).state, State::kCancelled);
      wg.wait();
    }
  });
}

TEST_F(OrderTest, PagesNewestFirst) {
  with_shop([](TestShop& shop) {
    std::vector<std::string> made;
    for (int i = 0; i < 7; ++i)
      made.insert(made.begin(), place(shop, order_request(std::to_string(i), {{"a", 1}})).id);
    std::vector<std::string> listed;
    const As as("u1");
    v1::ListOrdersRequest request;
    request.page_size = 3;
    do {
      const auto page = shop.orders->list_orders(request);
      for (const auto& order : page.orders) listed.push_back(order.id);
      request.page_token = page.next_page_token;
    } while (!request.page_token.empty());
    EXPECT_EQ(listed, made);
  });
}

TEST_F(OrderTest, RivalsForTheLastStock) {
  with_shop([](TestShop& shop) {
    std::atomic<int> won{0};
    degu::WaitGroup wg;
    for (int i = 0; i < 40; ++i) {
      wg.go([&, i] {
        const char* card = i % 2 == 0 ? kGoodCard : kDeclinedCard;
        const Refusal refused = refusal([&] {
          place(shop, order_request("k" + std::to_string(i), {{"b", 1}, {"a", 1}}, card),
                i % 3 == 0 ? "u1" : "u2");
        });
        if (refused.code == Code::kOk) {
          ++won;
        } else {
          EXPECT_EQ(refused.code, Code::kFailedPrecondition);
        }
      });
    }
    wg.wait();
    EXPECT_LE(won, 5);
  });
}

TEST_F(OrderTest, PastItsTimeBudgetItAnswersTheStateReached) {
  degu::run([&] {
    TestShop shop(dir_.path(), "", 0ms);
    const v1::Order order = place(shop, order_request("k", {{"a", 1}}));
    EXPECT_NE(order.state, State::kRejected);
    while (get(shop, order.id).state != State::kCaptured) degu::sleep(1ms);
    EXPECT_THAT(settle(shop, {"u1"}), IsEmpty());
  });
}

TEST_F(OrderTest, ACallerWhoLeavesDoesNotStopTheOrder) {
  with_shop([](TestShop& shop) {
    degu::WaitGroup wg;
    wg.go([&] {
      degu::CancelScope scope;
      degu::go([&] {
        while (all_orders(shop, "u1").empty()) degu::yield();
        scope.cancel();
      });
      refusal([&] { place(shop, order_request("k", {{"a", 1}})); });
      const degu::Shield shield;
      while (!scope.context().done()) degu::yield();
    });
    wg.wait();
    while (all_orders(shop, "u1").front().state != State::kCaptured) degu::sleep(1ms);
  });
}

TEST_F(OrderTest, ARestartKeepsEverything) {
  v1::Order order;
  with_shop([&](TestShop& shop) {
    order = place(shop, order_request("k", {{"a", 1}}));
    put(shop, "b", 2);
  });
  with_shop([&](TestShop& shop) {
    EXPECT_EQ(get(shop, order.id), order);
    EXPECT_EQ(place(shop, order_request("k", {{"a", 1}})), order);
    EXPECT_EQ(cart(shop).items.size(), 1U);
  });
}

TEST(CrashPointTest, Specs) {
  CrashPoint("").reach("pending", true);
  CrashPoint("pending-before:2").reach("pending", true);
  CrashPoint("pending-before:2").reach("pending", false);
  for (const char* spec :
       {"nowhere", "pending:0", "pending:x", "pending:", ":1", "pending:1x", "-before:1"}) {
    EXPECT_THROW(CrashPoint{spec}, Error) << spec;
  }
  EXPECT_EXIT(CrashPoint("captured").reach("captured", true), ::testing::KilledBySignal(SIGKILL), "");
}

}  // namespace
}  // namespace shop::order
