#include <degu/http/internal/fields.h>
#include <degu/http/internal/request_scope.h>
#include <degu/rt/park.h>

#include <algorithm>

namespace degu::http::internal {

std::optional<std::chrono::nanoseconds> client_timeout(const RequestHead& head) {
  if (!head.has_header(kTimeoutHeader)) return std::nullopt;
  constexpr uint64_t kMaxMs = 24ULL * 3600 * 1000;
  const auto ms = parse_digits(head.header(kTimeoutHeader));
  if (!ms) throw Error(Code::kInvalidArgument, "x-request-timeout-ms must be a whole number of milliseconds");
  return std::chrono::milliseconds(static_cast<int64_t>(std::min(*ms, kMaxMs)));
}

RequestScope::RequestScope(const RequestHead& head, const Route* route) {
  std::optional<std::chrono::nanoseconds> limit = client_timeout(head);
  if (route != nullptr && route->options.timeout.count() > 0) {
    limit = limit ? std::min(*limit, route->options.timeout) : route->options.timeout;
  }
  if (limit) install(*limit);
}

void RequestScope::install(std::chrono::nanoseconds limit) {
  rt::ContextBase* parent = rt::current_context();
  node_ = rt::CancelNode::make(parent == nullptr ? nullptr : parent->node(), after_delay(now(), limit));
  former_ = rt::exchange_context(Ref<rt::ContextBase>(new rt::ContextBase(node_)));
  // A request whose time is over already need not be begun.
  if (node_->cancelled()) {
    rt::exchange_context(std::move(former_));
    throw DeadlineExceeded("the request's time was over before it began");
  }
}

RequestScope::~RequestScope() {
  if (!node_) return;
  rt::exchange_context(std::move(former_));
  node_->cancel(Code::kCancelled);
}

}  // namespace degu::http::internal
