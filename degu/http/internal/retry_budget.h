// RetryBudget: keeps the repetitions of a client from adding to the load of servers that fail (gRPC A6).
#pragma once

#include <atomic>
#include <cstdint>

namespace degu::http::internal {

/// Full at first. Each failure costs a token, each success gives a tenth of one back, and nothing is repeated unless more
/// than half of them are left: so at most one request in ten is a repetition when servers fail for long. Thread-safe.
class RetryBudget {
 public:
  void on_success() noexcept { change(kGain); }
  void on_failure() noexcept { change(-kToken); }
  bool allows() const noexcept { return tokens_.load(std::memory_order_relaxed) > kFull / 2; }

 private:
  static constexpr int64_t kToken = 1000;
  static constexpr int64_t kGain = kToken / 10;
  static constexpr int64_t kFull = 10 * kToken;

  void change(int64_t by) noexcept {
    int64_t had = tokens_.load(std::memory_order_relaxed);
    int64_t has = 0;
    do {
      has = had + by < 0 ? 0 : had + by > kFull ? kFull : had + by;
    } while (!tokens_.compare_exchange_weak(had, has, std::memory_order_relaxed));
  }

  std::atomic<int64_t> tokens_{kFull};  // thousandths; guards nothing else
};

}  // namespace degu::http::internal
