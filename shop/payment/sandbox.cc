#include <degu/base/error.h>
#include <degu/rt/run.h>
#include <shop/payment/provider.h>

namespace shop::payment {
namespace {

class Sandbox final : public PaymentProvider {
 public:
  explicit Sandbox(SandboxOptions options) : options_(options) {}

  AuthorizeResult authorize(const Charge& charge) override {
    if (charge.card == "4242424242424242") return {true, ""};
    if (charge.card == "4000000000009995") return {false, "insufficient funds"};
    if (charge.card == "4000000000000119") {
      degu::sleep(options_.timeout);
      throw degu::Error(degu::Code::kUnavailable, "the payment provider did not answer in time");
    }
    return {false, "card declined"};
  }
  void capture(const std::string&) override {}
  void cancel(const std::string&) override {}
  void refund(const std::string&) override {}

 private:
  SandboxOptions options_;
};

}  // namespace

std::shared_ptr<PaymentProvider> make_sandbox_provider(SandboxOptions options) {
  return std::make_shared<Sandbox>(options);
}

}  // namespace shop::payment
