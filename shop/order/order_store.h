// The tables of orders and carts, and the way between their rows and messages.
#pragma once

#include <degu/store/database.h>
#include <shop/proto/order.degu.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shop::order {

std::vector<degu::store::Migration> migrations();

/// The order with items and history; nullopt when there is none. An order of somebody other than `user_id`
/// counts as none, unless `user_id` is "".
std::optional<v1::Order> load_order(degu::store::Session& session, std::string_view id,
                                    std::string_view user_id);

/// A page of the user's orders, newest first; `before` is the id of the last one seen or "".
std::vector<v1::Order> load_orders(degu::store::Session& session, std::string_view user_id,
                                   std::string_view before, int limit);

/// Writes a new order, PENDING, with its items and the first entry of its history.
void insert_order(degu::store::Transaction& tx, const v1::Order& order, std::string_view card_end,
                  bool from_cart);

/// Changes the state and adds to the history. False (nothing done) when the order is in that state already.
bool set_state(degu::store::Transaction& tx, std::string_view id, v1::OrderState state,
               std::string_view failure_reason);

struct CartLine {
  std::string sku;
  int32_t quantity = 0;

  friend bool operator==(const CartLine&, const CartLine&) = default;
};

/// In the order in which they were put in.
std::vector<CartLine> load_cart(degu::store::Session& session, std::string_view user_id);

/// Puts the items of a failed order back into the cart it was made from, if it was; lines put in meanwhile
/// stay.
void restore_cart(degu::store::Transaction& tx, std::string_view order_id);

}  // namespace shop::order
