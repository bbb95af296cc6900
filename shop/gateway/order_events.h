// The events of an order: GET /api/v1/orders/{id}/events.
#pragma once

#include <degu/http/router.h>
#include <degu/rpc/rest.h>
#include <shop/proto/order.degu.h>

#include <memory>

namespace shop::gateway {

/// Adds the route to a group. It answers with server-sent events of type "state", one for each entry of the order's history:
/// the entry as JSON, and as id its number from 1. Last-Event-ID goes on behind that entry; what is none of the order's ids is
/// the beginning. The stream ends when the order has (CAPTURED, CANCELLED or REJECTED); who has seen that already is answered
/// 204, upon which an EventSource asks no more. 404 unless the order is the caller's, 401 without a caller.
void mount_order_events(const degu::http::RouterGroup& group, std::shared_ptr<order::v1::OrderService> orders,
                        std::shared_ptr<degu::rpc::Authenticator> authenticator);

}  // namespace shop::gateway
