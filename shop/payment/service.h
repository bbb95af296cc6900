// Payments: what was held, taken and given back for each order.
#pragma once

#include <degu/store/database.h>
#include <shop/payment/provider.h>
#include <shop/proto/payment.degu.h>

#include <chrono>
#include <memory>
#include <string>

namespace shop::payment {

struct PaymentDeps {
  std::string database_path;
  degu::store::Synchronous synchronous = degu::store::Synchronous::kFull;
  std::shared_ptr<PaymentProvider> provider;  // null: the sandbox
};

/// The service and its life. Goroutine-safe. Card numbers are handed to the provider and never stored.
class PaymentComponent : public v1::PaymentService {
 public:
  virtual void start() = 0;
  /// Closes the database; calls fail afterwards. Idempotent.
  virtual void stop(std::chrono::nanoseconds grace) = 0;
};

/// Opens the database, making or migrating it. Throws degu::Error.
std::shared_ptr<PaymentComponent> make_payment_service(PaymentDeps deps);

}  // namespace shop::payment
