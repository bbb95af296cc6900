#include <degu/http/internal/fields.h>
#include <degu/http/internal/request_scope.h>

#include <algorithm>

namespace degu::http::internal {

std::optional<std::chrono::nanoseconds> client_timeout(const RequestHead& head) {
  if (!head.has_timeout()) return std::nullopt;
  constexpr uint64_t kMaxMs = 24ULL * 3600 * 1000;
  const auto ms = parse_digits(head.header(kTimeoutHeader));
  if (!ms) throw Error(Code::kInvalidArgument, "x-request-timeout-ms must be a whole number of milliseconds");
  return std::chrono::milliseconds(static_cast<int64_t>(std::min(*ms, kMaxMs)));
}

void RequestScope::limit(const RequestHead& head, const Route* route) {
  std::optional<std::chrono::nanoseconds> shortest = client_timeout(head);
  if (route != nullptr && route->options.long_lived) return;
  if (route != nullptr && route->options.timeout.count() > 0) {
    shortest = shortest ? std::min(*shortest, route->options.timeout) : route->options.timeout;
  }
  if (shortest) install(*shortest);
}

void RequestScope::install(std::chrono::nanoseconds limit) {
  scope_.emplace(limit);
  // A request whose time is over already need not be begun.
  if (scope_->context().done()) throw DeadlineExceeded("the request's time was over before it began");
}

}  // namespace degu::http::internal
