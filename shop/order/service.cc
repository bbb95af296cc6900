#include <degu/base/error.h>
#include <degu/obs/log.h>
#include <degu/store/idempotency.h>
#include <degu/store/outbox.h>
#include <degu/store/saga.h>
#include <fmt/core.h>
#include <shop/order/cart.h>
#include <shop/order/crash_point.h>
#include <shop/order/order_saga.h>
#include <shop/order/order_store.h>
#include <shop/order/orders.h>
#include <shop/order/service.h>

#include <utility>

namespace shop::order {
namespace {

using degu::store::Database;
using degu::store::Outbox;
using degu::store::OutboxMessage;
using degu::store::SagaEngine;
using degu::store::SagaPoint;
using degu::store::Snapshot;

constexpr std::chrono::hours kKeepKeys{24 * 7};
constexpr std::chrono::hours kKeepSagas{24 * 7};

class Component final : public OrderComponent {
 public:
  explicit Component(OrderDeps deps)
      : deps_(std::move(deps)),
        crash_(deps_.crash_at),
        database_(Database::open(deps_.database_path,
                                 {.migrations = migrations(), .synchronous = deps_.synchronous})),
        outbox_(
            *database_, [this](const OutboxMessage& message) { deliver(message); },
            {.probe = [this](const OutboxMessage&, bool recorded) { crash_.reach("notified", recorded); }}),
        engine_(*database_, {.max_running = deps_.max_running_sagas,
                             .probe = [this](SagaPoint point) { reached(point); }}),
        orders_(make_orders(
            {.database = database_, .engine = &engine_, .crash = &crash_, .watch = &watch_, .deps = &deps_})),
        carts_(make_cart_service(database_, deps_.catalog)) {
    define_sagas(engine_, *database_, deps_);
  }
  ~Component() override { stop({}); }

  std::shared_ptr<v1::OrderService> orders() override { return orders_; }
  std::shared_ptr<v1::CartService> carts() override { return carts_; }

  void start() override {
    degu::store::Idempotency(*database_).prune(kKeepKeys);
    engine_.prune(kKeepSagas);
    outbox_.start();
    if (const size_t open = engine_.resume(); open > 0) {
      degu::log(degu::Level::kInfo, "resumed the sagas of the last process", {{"count", open}});
    }
  }

  void stop(std::chrono::nanoseconds grace) override {
    const degu::TimePoint until = degu::now() + grace;
    engine_.stop(grace);
    outbox_.notify();
    outbox_.stop(std::max(until - degu::now(), std::chrono::nanoseconds{}));
    database_->close();
  }

 private:
  void reached(const SagaPoint& point) {
    const bool placing = point.saga == kPlaceSaga && !point.undoing;
    crash_.reach(placing ? point.step : "compensating", point.committed);
    if (placing && point.committed && point.step == "captured") outbox_.notify();
    if (point.saga == kPlaceSaga && point.committed) watch_.changed(point.id);
  }

  void deliver(const OutboxMessage& message) {
    const auto order =
        database_->read([&](Snapshot& snapshot) { return load_order(snapshot, message.key, ""); });
    if (!order) throw degu::Error(degu::Code::kDataLoss, fmt::format("no order {} to tell of", message.key));
    notification::v1::NotifyRequest request;
    request.idempotency_key = fmt::format("{}/{}", message.key, message.topic);
    request.order_id = message.key;
    request.user_id = order->user_id;
    request.kind = message.topic;
    request.message =
        fmt::format("Thank you! Your order {} over {}.{:02} {} is paid and on its way.", order->id,
                    order->total->minor / 100, order->total->minor % 100, order->total->currency);
    deps_.notification->notify(request);
  }

  const OrderDeps deps_;
  CrashPoint crash_;
  OrderWatch watch_;
  std::shared_ptr<Database> database_;
  Outbox outbox_;
  SagaEngine engine_;  // after the outbox, which its probe notifies
  std::shared_ptr<v1::OrderService> orders_;
  std::shared_ptr<v1::CartService> carts_;
};

}  // namespace

std::shared_ptr<OrderComponent> make_order_service(OrderDeps deps) {
  return std::make_shared<Component>(std::move(deps));
}

}  // namespace shop::order
