#include <degu/http/internal/fields.h>
#include <degu/http/internal/refusals.h>
#include <degu/http/refusal.h>
#include <degu/obs/log.h>
#include <degu/obs/metric.h>
#include <degu/resilience/token_bucket.h>

#include <algorithm>
#include <string>

namespace degu::http {
namespace {

constexpr std::size_t kMaxPath = 256;

constexpr std::array<std::string_view, kRefusalCauses> kNames{
    "connections", "address", "proxy_header",   "tls",         "malformed",  "uri_too_long", "head_too_large",
    "unsupported", "timeout", "body_too_large", "http2_error", "http2_flood"};

Counter counter(RefusalCause cause) {
  return Counter("degu_http_refusals_total", "What HTTP servers have turned away before any handler saw it",
                 "cause=\"" + std::string(to_string(cause)) + "\"");
}

// Of all servers of the process, each at hand from the start: a series that is there at its first event only hides that.
std::array<Counter, kRefusalCauses> refused_total{
    counter(RefusalCause::kConnections),  counter(RefusalCause::kAddress),
    counter(RefusalCause::kProxyHeader),  counter(RefusalCause::kTls),
    counter(RefusalCause::kMalformed),    counter(RefusalCause::kUriTooLong),
    counter(RefusalCause::kHeadTooLarge), counter(RefusalCause::kUnsupported),
    counter(RefusalCause::kTimeout),      counter(RefusalCause::kBodyTooLarge),
    counter(RefusalCause::kHttp2Error),   counter(RefusalCause::kHttp2Flood)};

class RefusalLog final : public RefusalObserver {
 public:
  explicit RefusalLog(const RefusalLogOptions& options)
      : records_({.per_second = options.per_second, .burst = options.burst}) {}

  void refused(const Refusal& refusal) noexcept override {
    if (!log_enabled(Level::kInfo)) return;
    if (!records_.take().allowed) {
      suppressed_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    log(Level::kInfo, refusal.status != 0 ? "request" : "connection",
        {{"method", refusal.method},
         {"path", refusal.path},
         {"status", refusal.status},
         {"peer", refusal.peer},
         {"refused", to_string(refusal.cause)},
         {"reason", refusal.reason},
         {"suppressed", suppressed_.exchange(0, std::memory_order_relaxed)}});
  }

 private:
  TokenBucket records_;
  std::atomic<uint64_t> suppressed_{0};
};

}  // namespace

std::string_view to_string(RefusalCause cause) noexcept { return kNames[static_cast<std::size_t>(cause)]; }

std::shared_ptr<RefusalObserver> refusal_log(RefusalLogOptions options) {
  return std::make_shared<RefusalLog>(options);
}

namespace internal {

void Refusals::note(Refusal refusal) noexcept {
  const auto index = static_cast<std::size_t>(refusal.cause);
  counts_[index].fetch_add(1, std::memory_order_relaxed);
  refused_total[index].add();
  if (observer_ == nullptr) return;
  refusal.path = refusal.path.substr(0, std::min(refusal.path.find('?'), kMaxPath));
  observer_->refused(refusal);
}

RefusalCause cause_of(int status) noexcept {
  switch (status) {
    case 408:
      return RefusalCause::kTimeout;
    case 413:
      return RefusalCause::kBodyTooLarge;
    case 414:
      return RefusalCause::kUriTooLong;
    case 431:
      return RefusalCause::kHeadTooLarge;
    case 501:
    case 505:
      return RefusalCause::kUnsupported;
    default:
      return RefusalCause::kMalformed;
  }
}

RequestLine first_line(std::string_view head) noexcept {
  while (head.starts_with("\r\n")) head.remove_prefix(2);  // as the parser does
  head = head.substr(0, head.find_first_of("\r\n"));
  const std::size_t space = head.find(' ');
  if (space == std::string_view::npos || !is_token(head.substr(0, space))) return {};
  const std::string_view behind = head.substr(space + 1);
  return {head.substr(0, std::min<std::size_t>(space, 32)), behind.substr(0, behind.find(' '))};
}

}  // namespace internal
}  // namespace degu::http
