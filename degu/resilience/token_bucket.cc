#include <degu/resilience/token_bucket.h>

namespace degu {

RateDecision TokenBucket::take(uint64_t tokens) noexcept {
  const int64_t now = resilience_internal::now_ns();
  int64_t seen = full_at_.load(std::memory_order_relaxed);
  for (;;) {
    int64_t moved = seen;
    const RateDecision decision = gcra_.take(moved, now, tokens);
    if (!decision.allowed || full_at_.compare_exchange_weak(seen, moved, std::memory_order_relaxed))
      return decision;
  }
}

}  // namespace degu
