#include <degu/base/error.h>
#include <degu/store/idempotency.h>
#include <degu/store/outbox.h>
#include <degu/store/saga.h>
#include <degu/store/wall_clock.h>
#include <fmt/core.h>
#include <shop/order/order_store.h>

#include <chrono>
#include <utility>

namespace shop::order {
namespace {

using degu::store::Row;
using degu::store::Session;
using degu::store::Transaction;
using degu::store::wall_ms;

constexpr const char* kSchema =
    "CREATE TABLE orders("
    "id TEXT PRIMARY KEY, user_id TEXT NOT NULL, state TEXT NOT NULL CHECK(state IN"
    " ('PENDING', 'RESERVED', 'AUTHORIZED', 'CONFIRMED', 'CAPTURED', 'CANCELLED', 'REJECTED')),"
    "total_minor INTEGER NOT NULL CHECK(total_minor >= 0), currency TEXT NOT NULL, card_end TEXT NOT NULL,"
    "from_cart INTEGER NOT NULL, failure_reason TEXT NOT NULL DEFAULT '',"
    "created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX orders_by_user ON orders(user_id, id);"
    "CREATE TABLE order_items("
    "order_id TEXT NOT NULL REFERENCES orders(id), position INTEGER NOT NULL, sku TEXT NOT NULL, name TEXT "
    "NOT NULL,"
    "quantity INTEGER NOT NULL CHECK(quantity > 0), price_minor INTEGER NOT NULL CHECK(price_minor >= 0),"
    "PRIMARY KEY(order_id, position)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE order_history("
    "order_id TEXT NOT NULL REFERENCES orders(id), position INTEGER NOT NULL, state TEXT NOT NULL,"
    "at_ms INTEGER NOT NULL, PRIMARY KEY(order_id, position)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE cart_items("
    "user_id TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL CHECK(quantity > 0),"
    "position INTEGER NOT NULL, PRIMARY KEY(user_id, sku)) STRICT, WITHOUT ROWID;";

constexpr std::string_view kColumns =
    "SELECT id, user_id, state, total_minor, currency, failure_reason, created_at_ms, updated_at_ms FROM "
    "orders ";

degu::rpc::Timestamp at(int64_t ms) { return degu::rpc::Timestamp(std::chrono::milliseconds(ms)); }

v1::OrderState state_of(std::string_view name) {
  v1::OrderState state{};
  if (!from_string(name, state)) {
    throw degu::Error(degu::Code::kDataLoss, fmt::format("unknown order state \"{}\"", name));
  }
  return state;
}

v1::Order read_order(const Row& row) {
  v1::Order order;
  order.id = row.get<std::string>(0);
  order.user_id = row.get<std::string>(1);
  order.state = state_of(row.get<std::string_view>(2));
  order.total.emplace();
  order.total->minor = row.get<int64_t>(3);
  order.total->currency = row.get<std::string>(4);
  order.failure_reason = row.get<std::string>(5);
  order.created_at = at(row.get<int64_t>(6));
  order.updated_at = at(row.get<int64_t>(7));
  return order;
}

void read_parts(Session& session, v1::Order& order) {
  auto items = session.query(
      "SELECT sku, name, quantity, price_minor FROM order_items WHERE order_id=? ORDER BY position",
      order.id);
  while (auto row = items.next()) {
    v1::OrderItem item;
    item.sku = row->get<std::string>(0);
    item.name = row->get<std::string>(1);
    item.quantity = row->get<int32_t>(2);
    item.price.emplace();
    item.price->minor = row->get<int64_t>(3);
    item.price->currency = order.total->currency;
    order.items.push_back(std::move(item));
  }
  auto history =
      session.query("SELECT state, at_ms FROM order_history WHERE order_id=? ORDER BY position", order.id);
  while (auto row = history.next()) {
    v1::OrderEvent event;
    event.state = state_of(row->get<std::string_view>(0));
    event.at = at(row->get<int64_t>(1));
    order.history.push_back(std::move(event));
  }
  if (!order.history.empty()) order.history.back().reason = order.failure_reason;
}

void add_history(Transaction& tx, std::string_view id, std::string_view state, int64_t now) {
  tx.exec(
      "INSERT INTO order_history(order_id, position, state, at_ms)"
      " SELECT ?1, (SELECT count(*) FROM order_history WHERE order_id=?1), ?2, ?3",
      id, state, now);
}

}  // namespace

std::vector<degu::store::Migration> migrations() {
  return {{1, "orders and carts", kSchema},
          {2, "sagas", std::string(degu::store::SagaEngine::schema())},
          {3, "outbox", std::string(degu::store::Outbox::schema())},
          {4, "idempotency keys", std::string(degu::store::Idempotency::schema())}};
}

std::optional<v1::Order> load_order(Session& session, std::string_view id, std::string_view user_id) {
  auto rows = session.query(std::string(kColumns) + "WHERE id=?1 AND (?2='' OR user_id=?2)", id, user_id);
  const auto row = rows.next();
  if (!row) return std::nullopt;
  v1::Order order = read_order(*row);
  read_parts(session, order);
  return order;
}

std::vector<v1::Order> load_orders(Session& session, std::string_view user_id, std::string_view before,
                                   int limit) {
  std::vector<v1::Order> orders;
  // '~' sorts after every id.
  auto rows = session.query(std::string(kColumns) + "WHERE user_id=? AND id < ? ORDER BY id DESC LIMIT ?",
                            user_id, before.empty() ? "~" : before, limit);
  while (auto row = rows.next()) orders.push_back(read_order(*row));
  for (v1::Order& order : orders) read_parts(session, order);
  return orders;
}

void insert_order(Transaction& tx, const v1::Order& order, std::string_view card_end, bool from_cart) {
  const int64_t now = wall_ms();
  tx.exec(
      "INSERT INTO orders(id, user_id, state, total_minor, currency, card_end, from_cart, created_at_ms, "
      "updated_at_ms)"
      " VALUES(?1,?2,'PENDING',?3,?4,?5,?6,?7,?7)",
      order.id, order.user_id, order.total->minor, order.total->currency, card_end, from_cart, now);
  int position = 0;
  for (const v1::OrderItem& item : order.items) {
    tx.exec(
        "INSERT INTO order_items(order_id, position, sku, name, quantity, price_minor) VALUES(?,?,?,?,?,?)",
        order.id, position++, item.sku, item.name, item.quantity, item.price->minor);
  }
  add_history(tx, order.id, "PENDING", now);
}

bool set_state(Transaction& tx, std::string_view id, v1::OrderState state, std::string_view failure_reason) {
  const int64_t now = wall_ms();
  const int64_t changed =
      tx.exec("UPDATE orders SET state=?1, failure_reason=?2, updated_at_ms=?3 WHERE id=?4 AND state<>?1",
              to_string(state), failure_reason, now, id);
  if (changed == 1) add_history(tx, id, to_string(state), now);
  return changed == 1;
}

std::vector<CartLine> load_cart(Session& session, std::string_view user_id) {
  std::vector<CartLine> lines;
  auto rows =
      session.query("SELECT sku, quantity FROM cart_items WHERE user_id=? ORDER BY position, sku", user_id);
  while (auto row = rows.next()) lines.push_back({row->get<std::string>(0), row->get<int32_t>(1)});
  return lines;
}

void restore_cart(Transaction& tx, std::string_view order_id) {
  tx.exec(
      "INSERT INTO cart_items(user_id, sku, quantity, position)"
      " SELECT o.user_id, i.sku, i.quantity, i.position FROM order_items AS i JOIN orders AS o ON o.id = "
      "i.order_id"
      " WHERE o.id=? AND o.from_cart=1 ON CONFLICT(user_id, sku) DO NOTHING",
      order_id);
}

}  // namespace shop::order
