// PaymentProvider: who moves the money. The sandbox is built in; a real one implements the same four calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace shop::payment {

struct Charge {
  std::string key;  // the provider's idempotency key; the same key is the same charge
  std::string card;
  std::string currency;
  int64_t amount_minor = 0;
};

struct AuthorizeResult {
  bool approved = false;
  std::string decline_reason;  // when not approved
};

/// All calls are idempotent by key, as real providers' are, and may block. Errors: kUnavailable and
/// kDeadlineExceeded mean that the outcome is unknown and the call may be repeated. Goroutine-safe.
class PaymentProvider {
 public:
  virtual ~PaymentProvider() = default;
  virtual AuthorizeResult authorize(const Charge& charge) = 0;
  virtual void capture(const std::string& key) = 0;
  /// Also for a key that the provider has never seen; it must then refuse a later authorize.
  virtual void cancel(const std::string& key) = 0;
  virtual void refund(const std::string& key) = 0;
};

struct SandboxOptions {
  std::chrono::milliseconds timeout{150};  // how long the time-out card makes its caller wait
};

/// Knows these cards: 4242424242424242 approves; 4000000000000002 declines; 4000000000009995 declines for
/// lack of funds; 4000000000000119 never answers (kUnavailable after `timeout`). Any other card is declined.
/// Keeps no books: nothing but the card decides.
std::shared_ptr<PaymentProvider> make_sandbox_provider(SandboxOptions options = {});

}  // namespace shop::payment
