// One payment an order: AUTHORIZED → CAPTURED → REFUNDED, AUTHORIZED → VOIDED, or DECLINED; never back.
//
// Money moves at the provider, outside any transaction of ours, so each move is repeatable: the provider's
// key is the order's, and the row is changed after the provider has answered. A crash between the two is
// repaired by the caller's repetition. Before the first word with the provider the intent is on record, so
// that a void that finds no payment row knows that the provider may hold money. A void without payment leaves
// a VOIDED row, which keeps a late authorize out. Calls for one order run one at a time (order_locks_): two
// moves of the same money must not cross at the provider.
#include <degu/base/error.h>
#include <degu/store/sortable_id.h>
#include <degu/store/wall_clock.h>
#include <degu/sync/semaphore.h>
#include <fmt/core.h>
#include <shop/payment/service.h>

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace shop::payment {
namespace {

using degu::Code;
using degu::Error;
using degu::store::Database;
using degu::store::Session;
using degu::store::Snapshot;
using degu::store::Transaction;
using degu::store::wall_ms;
using State = v1::PaymentState;

constexpr const char* kSchema =
    "CREATE TABLE payments("
    "id TEXT PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, idempotency_key TEXT NOT NULL UNIQUE,"
    "state TEXT NOT NULL CHECK(state IN ('AUTHORIZED', 'CAPTURED', 'VOIDED', 'REFUNDED', 'DECLINED')),"
    "amount_minor INTEGER NOT NULL CHECK(amount_minor >= 0), currency TEXT NOT NULL, user_id TEXT NOT NULL,"
    "card_end TEXT NOT NULL, decline_reason TEXT NOT NULL DEFAULT '',"
    "created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE payment_intents("
    "order_id TEXT PRIMARY KEY, idempotency_key TEXT NOT NULL UNIQUE, amount_minor INTEGER NOT NULL,"
    "currency TEXT NOT NULL, card_end TEXT NOT NULL, created_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

struct Record {
  v1::Payment payment;
  std::string key;
  std::string card_end;
};

std::optional<Record> find(Session& session, std::string_view order_id) {
  auto rows = session.query(
      "SELECT id, order_id, state, amount_minor, currency, decline_reason, created_at_ms, updated_at_ms,"
      " idempotency_key, card_end FROM payments WHERE order_id=?",
      order_id);
  const auto row = rows.next();
  if (!row) return std::nullopt;
  Record record;
  v1::Payment& payment = record.payment;
  payment.id = row->get<std::string>(0);
  payment.order_id = row->get<std::string>(1);
  if (!from_string(row->get<std::string_view>(2), payment.state)) {
    throw Error(Code::kDataLoss, fmt::format("the payment of order {} has an unknown state", order_id));
  }
  payment.amount.emplace();
  payment.amount->minor = row->get<int64_t>(3);
  payment.amount->currency = row->get<std::string>(4);
  payment.decline_reason = row->get<std::string>(5);
  payment.created_at = degu::rpc::Timestamp(std::chrono::milliseconds(row->get<int64_t>(6)));
  payment.updated_at = degu::rpc::Timestamp(std::chrono::milliseconds(row->get<int64_t>(7)));
  record.key = row->get<std::string>(8);
  record.card_end = row->get<std::string>(9);
  return record;
}

std::string card_end(const std::string& card) {
  return card.size() < 4 ? card : card.substr(card.size() - 4);
}

bool same_request(const v1::AuthorizeRequest& request, std::string_view key, int64_t minor,
                  std::string_view currency, std::string_view end) {
  return key == request.idempotency_key && minor == request.amount->minor &&
         currency == request.amount->currency && end == card_end(request.method->card);
}

[[noreturn]] void throw_other(const std::string& order_id) {
  throw Error(Code::kAlreadyExists, fmt::format("order {} has another payment", order_id));
}

[[noreturn]] void throw_state(std::string_view verb, const v1::Payment& payment) {
  throw Error(Code::kFailedPrecondition, fmt::format("cannot {} the payment of order {}: it is {}", verb,
                                                     payment.order_id, to_string(payment.state)));
}

class Payments final : public PaymentComponent {
 public:
  explicit Payments(PaymentDeps deps)
      : provider_(deps.provider != nullptr ? std::move(deps.provider) : make_sandbox_provider()),
        database_(Database::open(deps.database_path, {.migrations = {{1, "payments", kSchema}},
                                                      .synchronous = deps.synchronous})) {
    for (auto& lock : order_locks_) lock = std::make_unique<degu::Semaphore>(1);
  }
  ~Payments() override { stop({}); }

  v1::Payment authorize(const v1::AuthorizeRequest& request) override {
    check(request);
    const OrderLock lock(*this, request.order_id);
    if (auto known = begin_authorize(request)) return *std::move(known);
    const AuthorizeResult result = provider_->authorize({.key = provider_key(request.order_id),
                                                         .card = request.method->card,
                                                         .currency = request.amount->currency,
                                                         .amount_minor = request.amount->minor});
    return database_->write([&](Transaction& tx) {
      insert(tx, request.order_id, request.idempotency_key,
             result.approved ? State::kAuthorized : State::kDeclined, *request.amount, request.user_id,
             card_end(request.method->card), result.decline_reason);
      return find(tx, request.order_id)->payment;
    });
  }

  v1::Payment capture(const v1::CaptureRequest& request) override {
    const OrderLock lock(*this, request.order_id);
    v1::Payment payment = existing(request.order_id);
    if (payment.state == State::kCaptured) return payment;
    if (payment.state != State::kAuthorized) throw_state("capture", payment);
    provider_->capture(provider_key(request.order_id));
    return move(request.order_id, State::kAuthorized, State::kCaptured);
  }

  v1::Payment void_(const v1::VoidRequest& request) override {
    const OrderLock lock(*this, request.order_id);
    const auto record = database_->read([&](Snapshot& snapshot) { return find(snapshot, request.order_id); });
    if (!record) return void_unknown(request);
    if (record->payment.state == State::kVoided || record->payment.state == State::kDeclined)
      return record->payment;
    if (record->payment.state != State::kAuthorized) throw_state("void", record->payment);
    provider_->cancel(provider_key(request.order_id));
    return move(request.order_id, State::kAuthorized, State::kVoided);
  }

  v1::Payment refund(const v1::RefundRequest& request) override {
    const OrderLock lock(*this, request.order_id);
    v1::Payment payment = existing(request.order_id);
    if (payment.state == State::kRefunded) return payment;
    if (payment.state != State::kCaptured) throw_state("refund", payment);
    provider_->refund(provider_key(request.order_id));
    return move(request.order_id, State::kCaptured, State::kRefunded);
  }

  v1::Payment get_payment(const v1::GetPaymentRequest& request) override {
    return existing(request.order_id);
  }

  void start() override {}
  void stop(std::chrono::nanoseconds) override { database_->close(); }

 private:
  class OrderLock {
   public:
    OrderLock(Payments& payments, const std::string& order_id)
        : lock_(*payments.order_locks_[std::hash<std::string>{}(order_id) % payments.order_locks_.size()]) {
      lock_.acquire();
    }
    ~OrderLock() { lock_.release(); }
    OrderLock(const OrderLock&) = delete;
    OrderLock& operator=(const OrderLock&) = delete;

   private:
    degu::Semaphore& lock_;
  };

  static std::string provider_key(const std::string& order_id) { return "order-" + order_id; }

  static void check(const v1::AuthorizeRequest& request) {
    if (!request.amount || request.amount->minor <= 0 || request.amount->currency.empty()) {
      throw Error(Code::kInvalidArgument, "an amount above zero and its currency are needed",
                  {{"amount", "must be positive"}});
    }
    if (!request.method || request.method->card.empty()) {
      throw Error(Code::kInvalidArgument, "a payment method is needed", {{"method.card", "is required"}});
    }
    if (request.order_id.empty() || request.idempotency_key.empty()) {
      throw Error(Code::kInvalidArgument, "an order and an idempotency key are needed");
    }
  }

  // The payment if this request has one already; otherwise puts the intent on record.
  std::optional<v1::Payment> begin_authorize(const v1::AuthorizeRequest& request) {
    const std::string end = card_end(request.method->card);
    return database_->write([&](Transaction& tx) -> std::optional<v1::Payment> {
      if (auto known = find(tx, request.order_id)) {
        const v1::Payment& payment = known->payment;
        if (payment.state == State::kVoided) throw_state("authorize", payment);
        if (!same_request(request, known->key, payment.amount->minor, payment.amount->currency,
                          known->card_end)) {
          throw_other(request.order_id);
        }
        return payment;
      }
      auto intents = tx.query(
          "SELECT idempotency_key, amount_minor, currency, card_end FROM payment_intents WHERE order_id=?",
          request.order_id);
      if (const auto row = intents.next()) {
        if (!same_request(request, row->get<std::string_view>(0), row->get<int64_t>(1),
                          row->get<std::string_view>(2), row->get<std::string_view>(3))) {
          throw_other(request.order_id);
        }
        return std::nullopt;  // an earlier attempt did not hear the provider's answer
      }
      tx.exec(
          "INSERT INTO payment_intents(order_id, idempotency_key, amount_minor, currency, card_end, "
          "created_at_ms)"
          " VALUES(?,?,?,?,?,?)",
          request.order_id, request.idempotency_key, request.amount->minor, request.amount->currency, end,
          wall_ms());
      return std::nullopt;
    });
  }

  v1::Payment void_unknown(const v1::VoidRequest& request) {
    const auto intent = database_->read([&](Snapshot& snapshot) {
      return snapshot.value<std::string>("SELECT idempotency_key FROM payment_intents WHERE order_id=?",
                                         request.order_id);
    });
    if (intent) provider_->cancel(provider_key(request.order_id));
    return database_->write([&](Transaction& tx) {
      const common::v1::Money nothing{.currency = "", .minor = 0};
      insert(tx, request.order_id, intent.value_or(request.idempotency_key), State::kVoided, nothing, "", "",
             "");
      return find(tx, request.order_id)->payment;
    });
  }

  static void insert(Transaction& tx, const std::string& order_id, std::string_view key, State state,
                     const common::v1::Money& amount, std::string_view user_id, std::string_view end,
                     std::string_view decline_reason) {
    tx.exec(
        "INSERT INTO payments(id, order_id, idempotency_key, state, amount_minor, currency, user_id, "
        "card_end,"
        " decline_reason, created_at_ms, updated_at_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?10)",
        degu::store::sortable_id(), order_id, key, to_string(state), amount.minor, amount.currency, user_id,
        end, decline_reason, wall_ms());
  }

  v1::Payment existing(const std::string& order_id) {
    auto record = database_->read([&](Snapshot& snapshot) { return find(snapshot, order_id); });
    if (!record) throw Error(Code::kNotFound, fmt::format("order {} has no payment", order_id));
    return std::move(record->payment);
  }

  v1::Payment move(const std::string& order_id, State from, State to) {
    return database_->write([&](Transaction& tx) {
      const int64_t moved =
          tx.exec("UPDATE payments SET state=?, updated_at_ms=? WHERE order_id=? AND state=?", to_string(to),
                  wall_ms(), order_id, to_string(from));
      if (moved != 1)
        throw Error(Code::kInternal, fmt::format("the payment of order {} has moved meanwhile", order_id));
      return find(tx, order_id)->payment;
    });
  }

  std::shared_ptr<PaymentProvider> provider_;
  std::unique_ptr<Database> database_;
  std::array<std::unique_ptr<degu::Semaphore>, 64> order_locks_;  // by hash of the order's id
};

}  // namespace

std::shared_ptr<PaymentComponent> make_payment_service(PaymentDeps deps) {
  return std::make_shared<Payments>(std::move(deps));
}

}  // namespace shop::payment
