// An order's reservation moves RESERVED → COMMITTED → RELEASED or RESERVED → RELEASED, and never back. Each
// move and the change of the stock it stands for are one transaction, so that at every instant, for each SKU,
//   reserved = quantities of its RESERVED reservations,  sold = those of its COMMITTED ones,
//   free = initial - reserved - sold >= 0     (the table's CHECK constraints hold the sum and the signs).
// A release that comes before its reserve leaves a RELEASED reservation without lines, which keeps the late
// reserve out.
#include <degu/base/error.h>
#include <degu/obs/log.h>
#include <degu/rt/run.h>
#include <degu/store/background.h>
#include <degu/store/wall_clock.h>
#include <fmt/core.h>
#include <shop/inventory/service.h>

#include <map>
#include <optional>
#include <utility>

namespace shop::inventory {
namespace {

using degu::Code;
using degu::Error;
using degu::store::Database;
using degu::store::Session;
using degu::store::Snapshot;
using degu::store::Transaction;
using degu::store::wall_ms;

constexpr const char* kSchema =
    "CREATE TABLE stock("
    "sku TEXT PRIMARY KEY, initial INTEGER NOT NULL, free INTEGER NOT NULL CHECK(free >= 0),"
    "reserved INTEGER NOT NULL DEFAULT 0 CHECK(reserved >= 0), sold INTEGER NOT NULL DEFAULT 0 CHECK(sold >= "
    "0),"
    "CHECK(free + reserved + sold = initial)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE reservations("
    "order_id TEXT PRIMARY KEY, key TEXT NOT NULL,"
    "state TEXT NOT NULL CHECK(state IN ('RESERVED', 'COMMITTED', 'RELEASED')), reason TEXT NOT NULL DEFAULT "
    "'',"
    "expires_at_ms INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX reservations_open ON reservations(expires_at_ms) WHERE state = 'RESERVED';"
    "CREATE TABLE reservation_lines("
    "order_id TEXT NOT NULL REFERENCES reservations(order_id), sku TEXT NOT NULL REFERENCES stock(sku),"
    "quantity INTEGER NOT NULL CHECK(quantity > 0), PRIMARY KEY(order_id, sku)) STRICT, WITHOUT ROWID;";

using Lines =
    std::map<std::string, int64_t>;  // quantity by SKU; sorted, so that equal requests compare equal

struct Held {
  v1::ReservationState state;
  std::string key;
  int64_t expires_at_ms;
  Lines lines;
};

std::optional<Held> find(Session& session, const std::string& order_id) {
  auto rows = session.query("SELECT state, key, expires_at_ms FROM reservations WHERE order_id=?", order_id);
  const auto row = rows.next();
  if (!row) return std::nullopt;
  Held held{v1::ReservationState::kUnspecified, row->get<std::string>(1), row->get<int64_t>(2), {}};
  if (!from_string(row->get<std::string_view>(0), held.state)) {
    throw Error(Code::kDataLoss, fmt::format("reservation of order {} has an unknown state", order_id));
  }
  auto lines = session.query("SELECT sku, quantity FROM reservation_lines WHERE order_id=?", order_id);
  while (auto line = lines.next()) held.lines.emplace(line->get<std::string>(0), line->get<int64_t>(1));
  return held;
}

v1::Reservation answer(const std::string& order_id, const Held& held) {
  v1::Reservation reservation;
  reservation.order_id = order_id;
  reservation.state = held.state;
  for (const auto& [sku, quantity] : held.lines) {
    v1::StockLine line;
    line.sku = sku;
    line.quantity = static_cast<int32_t>(quantity);
    reservation.lines.push_back(std::move(line));
  }
  reservation.expires_at = degu::rpc::Timestamp(std::chrono::milliseconds(held.expires_at_ms));
  return reservation;
}

Lines merged(const std::vector<v1::StockLine>& lines) {
  Lines sum;
  for (const v1::StockLine& line : lines) {
    if (line.quantity <= 0 || line.quantity > 1'000'000 || line.sku.empty()) {
      throw Error(Code::kInvalidArgument, "a line needs a SKU and a quantity of 1 to 1000000");
    }
    sum[line.sku] += line.quantity;
  }
  if (sum.empty()) throw Error(Code::kInvalidArgument, "nothing to reserve");
  return sum;
}

// Moves every line from free to reserved or throws; the caller's transaction is then undone as a whole.
void take(Transaction& tx, const Lines& lines) {
  std::vector<degu::ErrorDetail> short_of;
  for (const auto& [sku, quantity] : lines) {
    const auto free = tx.value<int64_t>("SELECT free FROM stock WHERE sku=?", sku);
    if (!free) throw Error(Code::kNotFound, fmt::format("no stock is kept of {}", sku), {{"sku", sku}});
    if (*free < quantity) {
      short_of.push_back({sku, fmt::format("{} wanted, {} left", quantity, *free)});
      continue;
    }
    tx.exec("UPDATE stock SET free=free-?1, reserved=reserved+?1 WHERE sku=?2", quantity, sku);
  }
  if (short_of.empty()) return;
  std::string message = "not enough stock of ";
  for (size_t i = 0; i < short_of.size(); ++i) message += (i == 0 ? "" : ", ") + short_of[i].field;
  throw Error(Code::kFailedPrecondition, std::move(message), std::move(short_of));
}

void give_back(Transaction& tx, const Held& held) {
  const char* sql = held.state == v1::ReservationState::kCommitted
                        ? "UPDATE stock SET free=free+?1, sold=sold-?1 WHERE sku=?2"
                        : "UPDATE stock SET free=free+?1, reserved=reserved-?1 WHERE sku=?2";
  for (const auto& [sku, quantity] : held.lines) tx.exec(sql, quantity, sku);
}

void set_state(Transaction& tx, const std::string& order_id, Held& held, v1::ReservationState state,
               std::string_view reason) {
  tx.exec("UPDATE reservations SET state=?, reason=?, updated_at_ms=? WHERE order_id=?", to_string(state),
          reason, wall_ms(), order_id);
  held.state = state;
}

class Inventory final : public InventoryComponent {
 public:
  explicit Inventory(InventoryDeps deps)
      : deps_(std::move(deps)),
        database_(Database::open(deps_.database_path, {.migrations = {{1, "stock and reservations", kSchema}},
                                                       .synchronous = deps_.synchronous})) {}
  ~Inventory() override { stop({}); }

  v1::Stock get_stock(const v1::GetStockRequest& request) override {
    return database_->read([&](Snapshot& snapshot) {
      auto rows = snapshot.query("SELECT initial, free, reserved, sold FROM stock WHERE sku=?", request.sku);
      const auto row = rows.next();
      if (!row) throw Error(Code::kNotFound, fmt::format("no stock is kept of {}", request.sku));
      v1::Stock stock;
      stock.sku = request.sku;
      stock.initial = row->get<int32_t>(0);
      stock.free = row->get<int32_t>(1);
      stock.reserved = row->get<int32_t>(2);
      stock.sold = row->get<int32_t>(3);
      return stock;
    });
  }

  v1::Reservation reserve(const v1::ReserveRequest& request) override {
    const Lines lines = merged(request.lines);
    const int64_t ttl_ms =
        request.ttl_seconds > 0 ? int64_t{request.ttl_seconds} * 1000 : deps_.reservation_ttl.count();
    return database_->write([&](Transaction& tx) {
      if (const auto held = find(tx, request.order_id)) return repeated(request, lines, *held);
      const int64_t now = wall_ms();
      take(tx, lines);
      Held held{v1::ReservationState::kReserved, request.idempotency_key, now + ttl_ms, lines};
      insert(tx, request.order_id, held, "");
      return answer(request.order_id, held);
    });
  }

  v1::Reservation commit(const v1::CommitRequest& request) override {
    return database_->write([&](Transaction& tx) {
      auto held = find(tx, request.order_id);
      if (!held)
        throw Error(Code::kNotFound, fmt::format("nothing is reserved for order {}", request.order_id));
      if (held->state == v1::ReservationState::kReleased) {
        throw Error(Code::kFailedPrecondition,
                    fmt::format("the reservation of order {} was released", request.order_id));
      }
      if (held->state == v1::ReservationState::kReserved) {
        for (const auto& [sku, quantity] : held->lines) {
          tx.exec("UPDATE stock SET reserved=reserved-?1, sold=sold+?1 WHERE sku=?2", quantity, sku);
        }
        set_state(tx, request.order_id, *held, v1::ReservationState::kCommitted, "");
      }
      return answer(request.order_id, *held);
    });
  }

  v1::Reservation release(const v1::ReleaseRequest& request) override {
    return database_->write([&](Transaction& tx) {
      auto held = find(tx, request.order_id);
      if (!held) {
        held = Held{v1::ReservationState::kReleased, request.idempotency_key, wall_ms(), {}};
        insert(tx, request.order_id, *held, request.reason);
      } else if (held->state != v1::ReservationState::kReleased) {
        give_back(tx, *held);
        set_state(tx, request.order_id, *held, v1::ReservationState::kReleased, request.reason);
      }
      return answer(request.order_id, *held);
    });
  }

  int64_t add_stock(const std::vector<InitialStock>& stock) override {
    return database_->write([&](Transaction& tx) {
      int64_t added = 0;
      for (const InitialStock& item : stock) {
        added += tx.exec("INSERT INTO stock(sku, initial, free) VALUES(?1,?2,?2) ON CONFLICT(sku) DO NOTHING",
                         item.sku, item.quantity);
      }
      return added;
    });
  }

  int64_t sweep() override {
    const auto expired = database_->read([](Snapshot& snapshot) {
      std::vector<std::string> ids;
      auto rows = snapshot.query(
          "SELECT order_id FROM reservations WHERE state='RESERVED' AND expires_at_ms < ? LIMIT 500",
          wall_ms());
      while (auto row = rows.next()) ids.push_back(row->get<std::string>(0));
      return ids;
    });
    if (expired.empty()) return 0;
    return database_->write([&](Transaction& tx) {
      int64_t released = 0;
      for (const std::string& order_id : expired) {
        auto held = find(tx, order_id);
        if (!held || held->state != v1::ReservationState::kReserved)
          continue;  // committed or released meanwhile
        give_back(tx, *held);
        set_state(tx, order_id, *held, v1::ReservationState::kReleased, "out of time");
        ++released;
      }
      return released;
    });
  }

  void start() override {
    background_.go([this] {
      for (;;) {
        degu::sleep(deps_.sweep_interval);
        try {
          if (const int64_t released = sweep(); released > 0) {
            degu::log(degu::Level::kInfo, "released reservations out of time", {{"count", released}});
          }
        } catch (const Error& error) {
          if (background_.cancelled()) return;
          degu::log(degu::Level::kWarn, "cannot sweep reservations", {{"error", error.what()}});
        }
      }
    });
  }

  void stop(std::chrono::nanoseconds) override {
    background_.stop({});
    database_->close();
  }

 private:
  static v1::Reservation repeated(const v1::ReserveRequest& request, const Lines& lines, const Held& held) {
    if (held.state == v1::ReservationState::kReleased) {
      throw Error(Code::kFailedPrecondition,
                  fmt::format("the reservation of order {} was released", request.order_id));
    }
    if (held.key != request.idempotency_key || held.lines != lines) {
      throw Error(Code::kAlreadyExists, fmt::format("order {} holds another reservation", request.order_id));
    }
    return answer(request.order_id, held);
  }

  static void insert(Transaction& tx, const std::string& order_id, const Held& held,
                     std::string_view reason) {
    tx.exec(
        "INSERT INTO reservations(order_id, key, state, reason, expires_at_ms, created_at_ms, updated_at_ms)"
        " VALUES(?1,?2,?3,?4,?5,?6,?6)",
        order_id, held.key, to_string(held.state), reason, held.expires_at_ms, wall_ms());
    for (const auto& [sku, quantity] : held.lines) {
      tx.exec("INSERT INTO reservation_lines(order_id, sku, quantity) VALUES(?,?,?)", order_id, sku,
              quantity);
    }
  }

  const InventoryDeps deps_;
  std::unique_ptr<Database> database_;
  degu::store::Background background_;  // last: the sweeper uses the database
};

}  // namespace

std::shared_ptr<InventoryComponent> make_inventory_service(InventoryDeps deps) {
  return std::make_shared<Inventory>(std::move(deps));
}

}  // namespace shop::inventory
