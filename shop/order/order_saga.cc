// Where the money is decides what undoing means: back_out() asks the payment service instead of trusting what
// this saga believes, because the call that failed may have had its effect.
//
// A captured order that is cancelled turns CANCELLED in the commit that begins the cancel saga, before the
// refund: an order must not be CAPTURED in the books when its money has gone back, not even for an instant.
#include <degu/base/error.h>
#include <degu/store/outbox.h>
#include <fmt/core.h>
#include <shop/order/order_saga.h>
#include <shop/order/order_store.h>

#include <optional>
#include <string>
#include <utility>

namespace shop::order {
namespace {

using degu::Code;
using degu::Error;
using degu::store::Database;
using degu::store::SagaDefinition;
using degu::store::SagaRun;
using degu::store::SagaState;
using degu::store::SagaStep;
using degu::store::Snapshot;
using degu::store::Transaction;

namespace inv = inventory::v1;
namespace pay = payment::v1;

v1::Order order_of(Database& database, const std::string& id) {
  auto order = database.read([&](Snapshot& snapshot) { return load_order(snapshot, id, ""); });
  if (!order) throw Error(Code::kDataLoss, fmt::format("the saga of order {} has no order", id));
  return *std::move(order);
}

std::optional<pay::PaymentState> payment_state(pay::PaymentService& payments, const std::string& order_id) {
  try {
    pay::GetPaymentRequest request;
    request.order_id = order_id;
    return payments.get_payment(request).state;
  } catch (const Error& error) {
    if (error.code() != Code::kNotFound) throw;
    return std::nullopt;
  }
}

// Gives back whatever is held or taken for the order, and keeps a late authorization out.
void back_out(pay::PaymentService& payments, const std::string& order_id) {
  if (payment_state(payments, order_id) == pay::PaymentState::kCaptured) {
    pay::RefundRequest request;
    request.idempotency_key = order_id + "/refund";
    request.order_id = order_id;
    payments.refund(request);
  } else if (payment_state(payments, order_id) != pay::PaymentState::kRefunded) {
    pay::VoidRequest request;
    request.idempotency_key = order_id + "/void";
    request.order_id = order_id;
    payments.void_(request);
  }
}

void release(inv::InventoryService& stock, const std::string& order_id, const std::string& reason) {
  inv::ReleaseRequest request;
  request.idempotency_key = order_id + "/release";
  request.order_id = order_id;
  request.reason = reason.substr(0, 500);
  stock.release(request);
}

SagaStep reserve_step(Database& database, const OrderDeps& deps) {
  SagaStep step;
  step.name = "reserved";
  step.act = [&](SagaRun& run) {
    inv::ReserveRequest request;
    request.idempotency_key = run.key("reserved");
    request.order_id = run.id();
    for (const v1::OrderItem& item : order_of(database, run.id()).items) {
      inv::StockLine line;
      line.sku = item.sku;
      line.quantity = item.quantity;
      request.lines.push_back(std::move(line));
    }
    deps.inventory->reserve(request);
  };
  step.done = [](SagaRun& run, Transaction& tx) { set_state(tx, run.id(), v1::OrderState::kReserved, ""); };
  step.undo = [&](SagaRun& run) { release(*deps.inventory, run.id(), run.failure()); };
  return step;
}

SagaStep authorize_step(Database& database, const OrderDeps& deps) {
  SagaStep step;
  step.name = "authorized";
  step.act = [&](SagaRun& run) {
    const v1::Order order = order_of(database, run.id());
    pay::AuthorizeRequest request;
    request.idempotency_key = run.key("authorized");
    request.order_id = run.id();
    request.user_id = order.user_id;
    request.amount = order.total;
    request.method.emplace();
    request.method->card = run.data();
    const pay::Payment payment = deps.payment->authorize(request);
    if (payment.state == pay::PaymentState::kDeclined) {
      throw Error(Code::kFailedPrecondition, fmt::format("payment declined: {}", payment.decline_reason));
    }
  };
  step.done = [](SagaRun& run, Transaction& tx) {
    run.set_data(tx, "");  // the card is not needed any more
    set_state(tx, run.id(), v1::OrderState::kAuthorized, "");
  };
  step.undo = [&](SagaRun& run) { back_out(*deps.payment, run.id()); };
  return step;
}

// Sells the stock. Undone by the first step's release, which gives sold stock back as well.
SagaStep confirm_step(const OrderDeps& deps) {
  SagaStep step;
  step.name = "confirmed";
  step.act = [&](SagaRun& run) {
    inv::CommitRequest request;
    request.idempotency_key = run.key("confirmed");
    request.order_id = run.id();
    deps.inventory->commit(request);
  };
  step.done = [](SagaRun& run, Transaction& tx) { set_state(tx, run.id(), v1::OrderState::kConfirmed, ""); };
  return step;
}

SagaStep capture_step(const OrderDeps& deps) {
  SagaStep step;
  step.name = "captured";
  step.act = [&](SagaRun& run) {
    pay::CaptureRequest request;
    request.idempotency_key = run.key("captured");
    request.order_id = run.id();
    deps.payment->capture(request);
  };
  step.done = [](SagaRun& run, Transaction& tx) {
    set_state(tx, run.id(), v1::OrderState::kCaptured, "");
    degu::store::Outbox::add(tx, kCapturedTopic, run.id(), "");
  };
  step.undo = [&](SagaRun& run) { back_out(*deps.payment, run.id()); };
  return step;
}

SagaDefinition place(Database& database, const OrderDeps& deps) {
  SagaDefinition saga;
  saga.name = kPlaceSaga;
  saga.time_to_live = deps.saga_time_to_live;
  saga.steps.push_back(reserve_step(database, deps));
  saga.steps.push_back(authorize_step(database, deps));
  saga.steps.push_back(confirm_step(deps));
  saga.steps.push_back(capture_step(deps));
  saga.ended = [](SagaRun& run, Transaction& tx) {
    run.set_data(tx, "");
    if (run.failure_code() == Code::kOk) return;  // captured
    set_state(tx, run.id(), run.aborted() ? v1::OrderState::kCancelled : v1::OrderState::kRejected,
              run.failure());
    restore_cart(tx, run.id());
  };
  return saga;
}

SagaDefinition cancel(const OrderDeps& deps) {
  SagaDefinition saga;
  saga.name = kCancelSaga;
  saga.forward_only = true;
  SagaStep refund;
  refund.name = "refunded";
  refund.act = [&](SagaRun& run) { back_out(*deps.payment, run.data()); };
  saga.steps.push_back(std::move(refund));
  SagaStep restock;
  restock.name = "restocked";
  restock.act = [&](SagaRun& run) { release(*deps.inventory, run.data(), "cancelled by the customer"); };
  saga.steps.push_back(std::move(restock));
  return saga;
}

}  // namespace

std::string cancel_id(std::string_view order_id) { return fmt::format("{}-cancel", order_id); }

void define_sagas(degu::store::SagaEngine& engine, Database& database, const OrderDeps& deps) {
  engine.define(place(database, deps));
  engine.define(cancel(deps));
}

}  // namespace shop::order
