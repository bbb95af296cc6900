// RequestScope: the context of one request, made only when something limits it.
#pragma once

#include <degu/context/cancel_scope.h>
#include <degu/http/internal/route_table.h>
#include <degu/http/request_parser.h>

#include <chrono>
#include <optional>

namespace degu::http::internal {

inline constexpr std::string_view kTimeoutHeader = "x-request-timeout-ms";

/// The client's x-request-timeout-ms; nothing when absent. Throws Error(kInvalidArgument) when it is no
/// number.
std::optional<std::chrono::nanoseconds> client_timeout(const RequestHead& head);

/// Installs a context that ends at the earlier of the route's and the client's timeout; does nothing when
/// neither is set, or the route is long-lived. The destructor puts the former context back and ends the request's own.
class RequestScope {
 public:
  RequestScope(const RequestHead& head, const Route* route) {
    if (head.has_timeout() || (route != nullptr && route->options.timeout.count() > 0)) limit(head, route);
  }
  explicit RequestScope(std::chrono::nanoseconds limit) { install(limit); }

 private:
  void limit(const RequestHead& head, const Route* route);
  void install(std::chrono::nanoseconds limit);

  std::optional<CancelScope> scope_;
};

}  // namespace degu::http::internal
