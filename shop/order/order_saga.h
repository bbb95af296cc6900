// The two sagas of an order: placing it and taking it back.
#pragma once

#include <degu/store/saga.h>
#include <shop/order/service.h>

#include <string>
#include <string_view>

namespace shop::order {

/// PENDING → RESERVED → AUTHORIZED → CONFIRMED → CAPTURED, each state a step; undone it ends REJECTED, or
/// CANCELLED when it was aborted. Its id is the order's, its data the card number until the payment is
/// authorized.
inline constexpr std::string_view kPlaceSaga = "place";

/// Gives money and stock of a captured order back. Only goes forward. Its id is cancel_id(order), its data
/// the order's id.
inline constexpr std::string_view kCancelSaga = "cancel";
std::string cancel_id(std::string_view order_id);

/// The first saga leaves a message of this topic in the outbox, with the order's id as its key.
inline constexpr std::string_view kCapturedTopic = "order_captured";

/// `database` and `deps` must outlive the engine.
void define_sagas(degu::store::SagaEngine& engine, degu::store::Database& database, const OrderDeps& deps);

}  // namespace shop::order
