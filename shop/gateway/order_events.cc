// The order service is asked for one change after another (WatchOrder), as a client in another process would ask.
#include <degu/context/cancel_scope.h>
#include <degu/http/event_stream.h>
#include <degu/http/from.h>
#include <degu/http/operation.h>
#include <shop/gateway/order_events.h>
#include <shop/order/order_state.h>

#include <boost/describe.hpp>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace shop::gateway {
namespace {

using degu::http::EventStream;
using degu::http::Exchange;
using degu::rpc::RestBinding;
using degu::rpc::RestCall;
using degu::rpc::RestRoute;

constexpr std::chrono::milliseconds kRetry(1000);
constexpr std::chrono::seconds kCallLimit(15);  // longer than WatchOrder waits for a change
constexpr RestBinding kParams[] = {{"id", "id"}};
constexpr RestRoute kRoute{.call = {"shop.order.v1.OrderService", "WatchOrder"},
                           .params = kParams,
                           .headers = {},
                           .query = false,
                           .auth = true};

// For the document.
struct Input {
  std::string id;
  degu::http::FromHeader<std::optional<std::string>, "Last-Event-ID"> last_event_id;
};
BOOST_DESCRIBE_STRUCT(Input, (), (id, last_event_id))

degu::http::Operation described() {
  return degu::http::operation<Input, void>("Tells of each state of an order as it reaches it.")
      .description(
          "Server-sent events of type `state`: an entry of the order's history as JSON, its number as id. "
          "With Last-Event-ID "
          "the entries behind that one. Ends when the order is CAPTURED, CANCELLED or REJECTED; 204 for who "
          "has seen that.")
      .id("OrderService_OrderEvents")
      .tag("OrderService")
      .produces("text/event-stream")
      .error(404, "there is no such order, or it is not the caller's")
      .authenticated();
}

// Of `entries`, how many the client has seen.
std::size_t seen_by(std::string_view last_event_id, std::size_t entries) {
  std::size_t seen = 0;
  const char* const end = last_event_id.data() + last_event_id.size();
  const auto result = std::from_chars(last_event_id.data(), end, seen);
  return result.ec == std::errc() && result.ptr == end && seen <= entries ? seen : 0;
}

void send(EventStream& events, const order::v1::OrderEvent& entry, std::size_t number) {
  std::string text;
  degu::json::Writer writer(text);
  write_json(writer, entry);
  events.send({.data = text, .event = "state", .id = std::to_string(number), .retry = kRetry});
}

void tell(Exchange& c, order::v1::OrderService& orders, order::v1::WatchOrderRequest& request) {
  const auto bounded = [](auto ask) {
    const degu::CancelScope scope(kCallLimit);
    return ask();
  };
  order::v1::Order order = bounded([&] { return orders.get_order({.id = request.id}); });
  std::size_t told = seen_by(c.header("last-event-id"), order.history.size());
  if (told == order.history.size() && order::has_ended(order.state)) return c.empty(204);
  EventStream events = degu::http::event_stream(c);
  while (true) {
    for (; told < order.history.size(); ++told) send(events, order.history[told], told + 1);
    if (order::has_ended(order.state)) return;
    request.seen = static_cast<int32_t>(told);
    order = bounded([&] { return orders.watch_order(request); });
  }
}

}  // namespace

void mount_order_events(const degu::http::RouterGroup& group, std::shared_ptr<order::v1::OrderService> orders,
                        std::shared_ptr<degu::rpc::Authenticator> authenticator) {
  const degu::rpc::RestOptions options{.authenticator = std::move(authenticator)};
  group.get("/api/v1/orders/:id/events",
            [orders = std::move(orders), options](Exchange& c) {
              RestCall call(c, kRoute, options);
              order::v1::WatchOrderRequest request;
              call.bind(request);
              call.run([&] { tell(c, *orders, request); });
            },
            {.long_lived = true, .operation = described()});
}

}  // namespace shop::gateway
