// What the states of an order mean to who waits for it.
#pragma once

#include <shop/proto/order.degu.h>

namespace shop::order {

/// Nothing follows by itself: CAPTURED, CANCELLED or REJECTED.
constexpr bool has_ended(v1::OrderState state) noexcept {
  return state == v1::OrderState::kCaptured || state == v1::OrderState::kCancelled ||
         state == v1::OrderState::kRejected;
}

}  // namespace shop::order
