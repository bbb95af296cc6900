#include <degu/base/testing/temp_dir.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <shop/payment/service.h>

#include <atomic>
#include <map>
#include <set>

namespace shop::payment {
namespace {

using degu::Code;
using degu::Error;
using State = v1::PaymentState;
using namespace std::chrono_literals;

Code code_of(auto&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

// Keeps books: what it holds and has taken under each key, and refuses what a real provider would.
class Ledger final : public PaymentProvider {
 public:
  AuthorizeResult authorize(const Charge& charge) override {
    ++authorize_calls;
    if (cancelled.contains(charge.key)) throw Error(Code::kFailedPrecondition, "cancelled");
    if (charge.card == "declined") return {false, "declined"};
    held[charge.key] = charge.amount_minor;
    if (lose_answer.exchange(false)) throw Error(Code::kUnavailable, "no answer");
    return {true, ""};
  }
  void capture(const std::string& key) override {
    if (held.erase(key) == 1) ++taken[key];
  }
  void cancel(const std::string& key) override {
    held.erase(key);
    cancelled.insert(key);
  }
  void refund(const std::string& key) override { refunded.insert(key); }

  std::atomic<int> authorize_calls{0};
  std::atomic<bool> lose_answer{false};
  std::map<std::string, int64_t> held;
  std::map<std::string, int> taken;
  std::set<std::string> cancelled, refunded;
};

v1::AuthorizeRequest authorize(const std::string& order, int64_t minor = 1999,
                               const std::string& card = "4242424242424242") {
  v1::AuthorizeRequest request;
  request.idempotency_key = order + "/authorized";
  request.order_id = order;
  request.user_id = "u1";
  request.amount.emplace();
  request.amount->currency = "EUR";
  request.amount->minor = minor;
  request.method.emplace();
  request.method->card = card;
  return request;
}

template <class Request>
Request about(const std::string& order) {
  Request request;
  request.idempotency_key = order + "/key";
  request.order_id = order;
  return request;
}

class PaymentTest : public ::testing::Test {
 protected:
  template <class F>
  void with_payments(F body, std::shared_ptr<PaymentProvider> provider = nullptr) {
    degu::run([&] {
      auto payments = make_payment_service({.database_path = dir_.file("payment.db"),
                                            .synchronous = degu::store::Synchronous::kNormal,
                                            .provider = provider != nullptr ? provider : ledger_});
      body(*payments);
      payments->stop({});
    });
  }
  degu::testing::TempDir dir_;
  std::shared_ptr<Ledger> ledger_ = std::make_shared<Ledger>();
};

TEST_F(PaymentTest, AuthorizeCaptureRefundAndAllAgain) {
  with_payments([&](PaymentComponent& payments) {
    std::string id;
    for (int i = 0; i < 3; ++i) {
      const v1::Payment payment = payments.authorize(authorize("o1"));
      EXPECT_EQ(payment.state, State::kAuthorized);
      EXPECT_EQ(payment.amount->minor, 1999);
      EXPECT_TRUE(id.empty() || id == payment.id);
      id = payment.id;
    }
    EXPECT_EQ(ledger_->authorize_calls, 1);
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(payments.capture(about<v1::CaptureRequest>("o1")).state, State::kCaptured);
    EXPECT_EQ(ledger_->taken.at("order-o1"), 1);
    EXPECT_EQ(payments.authorize(authorize("o1")).state, State::kCaptured);
    EXPECT_EQ(code_of([&] { payments.void_(about<v1::VoidRequest>("o1")); }), Code::kFailedPrecondition);
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(payments.refund(about<v1::RefundRequest>("o1")).state, State::kRefunded);
    EXPECT_EQ(code_of([&] { payments.capture(about<v1::CaptureRequest>("o1")); }), Code::kFailedPrecondition);
    EXPECT_EQ(payments.get_payment({.order_id = "o1"}).state, State::kRefunded);
  });
}

TEST_F(PaymentTest, VoidLetsGo) {
  with_payments([&](PaymentComponent& payments) {
    payments.authorize(authorize("o1"));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(payments.void_(about<v1::VoidRequest>("o1")).state, State::kVoided);
    EXPECT_TRUE(ledger_->held.empty());
    EXPECT_EQ(code_of([&] { payments.capture(about<v1::CaptureRequest>("o1")); }), Code::kFailedPrecondition);
    EXPECT_EQ(code_of([&] { payments.refund(about<v1::RefundRequest>("o1")); }), Code::kFailedPrecondition);
    EXPECT_EQ(code_of([&] { payments.authorize(authorize("o1")); }), Code::kFailedPrecondition);
  });
}

TEST_F(PaymentTest, AVoidBeforeTheAuthorizeKeepsItOut) {
  with_payments([&](PaymentComponent& payments) {
    EXPECT_EQ(payments.void_(about<v1::VoidRequest>("o1")).state, State::kVoided);
    EXPECT_EQ(code_of([&] { payments.authorize(authorize("o1")); }), Code::kFailedPrecondition);
    EXPECT_EQ(ledger_->authorize_calls, 0);
  });
}

TEST_F(PaymentTest, AnAnswerThatWasLostIsHeldOnce) {
  ledger_->lose_answer = true;
  with_payments([&](PaymentComponent& payments) {
    EXPECT_EQ(code_of([&] { payments.authorize(authorize("o1")); }), Code::kUnavailable);
    EXPECT_EQ(payments.authorize(authorize("o1")).state, State::kAuthorized);
    EXPECT_EQ(ledger_->held.size(), 1U);
  });
}

TEST_F(PaymentTest, AVoidAfterALostAnswerLetsGoAtTheProvider) {
  ledger_->lose_answer = true;
  with_payments([&](PaymentComponent& payments) {
    EXPECT_EQ(code_of([&] { payments.authorize(authorize("o1")); }), Code::kUnavailable);
  });
  EXPECT_EQ(ledger_->held.size(), 1U);
  with_payments([&](PaymentComponent& payments) {  // another process: it knows the intent from its database
    EXPECT_EQ(payments.void_(about<v1::VoidRequest>("o1")).state, State::kVoided);
    EXPECT_TRUE(ledger_->held.empty());
  });
}

TEST_F(PaymentTest, OtherContentUnderTheSameOrderIsRefused) {
  with_payments([&](PaymentComponent& payments) {
    payments.authorize(authorize("o1"));
    EXPECT_EQ(code_of([&] { payments.authorize(authorize("o1", 5)); }), Code::kAlreadyExists);
    auto other = authorize("o1");
    other.idempotency_key = "another";
    EXPECT_EQ(code_of([&] { payments.authorize(other); }), Code::kAlreadyExists);
    EXPECT_EQ(code_of([&] { payments.authorize(authorize("o2", 0)); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([&] { payments.authorize(authorize("o2", -5)); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([&] { payments.get_payment({.order_id = "o2"}); }), Code::kNotFound);
    EXPECT_EQ(ledger_->held.size(), 1U);
  });
}

TEST_F(PaymentTest, ManyAuthorizationsOfOneOrderAreOne) {
  with_payments([&](PaymentComponent& payments) {
    degu::WaitGroup wg;
    for (int i = 0; i < 32; ++i) {
      wg.go([&] { EXPECT_EQ(payments.authorize(authorize("o1")).state, State::kAuthorized); });
    }
    wg.wait();
    EXPECT_EQ(ledger_->authorize_calls, 1);
  });
}

TEST_F(PaymentTest, CaptureAgainstVoidHasOneWinner) {
  with_payments([&](PaymentComponent& payments) {
    for (int i = 0; i < 20; ++i) {
      const std::string order = "o" + std::to_string(i);
      payments.authorize(authorize(order));
      degu::WaitGroup wg;
      Code capture = Code::kOk;
      Code cancel = Code::kOk;
      wg.go([&] { capture = code_of([&] { payments.capture(about<v1::CaptureRequest>(order)); }); });
      wg.go([&] { cancel = code_of([&] { payments.void_(about<v1::VoidRequest>(order)); }); });
      wg.wait();
      EXPECT_NE(capture == Code::kOk, cancel == Code::kOk);
      EXPECT_EQ(payments.get_payment({.order_id = order}).state,
                capture == Code::kOk ? State::kCaptured : State::kVoided);
    }
  });
}

TEST_F(PaymentTest, TheSandboxKnowsItsCards) {
  with_payments(
      [&](PaymentComponent& payments) {
        EXPECT_EQ(payments.authorize(authorize("o1")).state, State::kAuthorized);
        const v1::Payment declined = payments.authorize(authorize("o2", 1, "4000000000000002"));
        EXPECT_EQ(declined.state, State::kDeclined);
        EXPECT_EQ(declined.decline_reason, "card declined");
        EXPECT_EQ(payments.authorize(authorize("o2", 1, "4000000000000002")).state, State::kDeclined);
        EXPECT_EQ(payments.void_(about<v1::VoidRequest>("o2")).state, State::kDeclined);
        EXPECT_EQ(payments.authorize(authorize("o3", 1, "4000000000009995")).decline_reason,
                  "insufficient funds");
        EXPECT_EQ(code_of([&] { payments.authorize(authorize("o4", 1, "4000000000000119")); }),
                  Code::kUnavailable);
        EXPECT_EQ(payments.void_(about<v1::VoidRequest>("o4")).state, State::kVoided);
        EXPECT_EQ(payments.authorize(authorize("o5", 1, "1234567890123")).state, State::kDeclined);
      },
      make_sandbox_provider({.timeout = 5ms}));
}

}  // namespace
}  // namespace shop::payment
