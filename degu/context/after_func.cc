// after_func. A registration is kept by itself while it is registered: that count goes to the goroutine that
// runs the function, or is given up by the stop() that wins. `state_` decides between the two.
#include <degu/base/assert.h>
#include <degu/context/after_func.h>
#include <degu/context/cancel_scope.h>
#include <degu/rt/run.h>
#include <degu/rt/sim_point.h>

#include <atomic>

namespace degu {
namespace context_internal {

class Registration : public RefCounted<Registration>, private rt::CancelWaiter {
 public:
  Registration(const Context& context, UniqueFunction<void()> fn)
      : node_(context.node()), values_(without_cancel(context)), fn_(std::move(fn)) {
    on_cancel = [](rt::CancelWaiter* self) { static_cast<Registration*>(self)->fire(); };
  }

  void arm() {
    if (!node_) return;
    ref();
    node_->add(this);
  }

  bool stop() noexcept {
    State expected = State::kArmed;
    if (!state_.compare_exchange_strong(expected, State::kStopped, std::memory_order_acq_rel)) return false;
    if (node_) {
      node_->remove(this);  // if fire() is running it ends first
      unref();
    }
    return true;
  }

 private:
  enum class State : uint8_t { kArmed, kFired, kStopped };

  void fire() {
    State expected = State::kArmed;
    if (!state_.compare_exchange_strong(expected, State::kFired, std::memory_order_acq_rel)) return;
    const rt::internal::HeldPoints held;  // the node's lock is
    rt::spawn_from_callback(
        [self = Ref<Registration>::adopt(this)] {
          const ContextScope scope(self->values_);
          self->fn_();
        },
        {});
  }

  std::atomic<State> state_{State::kArmed};
  Ref<rt::CancelNode> node_;
  Context values_;
  UniqueFunction<void()> fn_;
};

}  // namespace context_internal

using context_internal::Registration;

AfterFunc::AfterFunc() noexcept = default;
AfterFunc::AfterFunc(const AfterFunc&) noexcept = default;
AfterFunc::AfterFunc(AfterFunc&&) noexcept = default;
AfterFunc& AfterFunc::operator=(AfterFunc other) noexcept {
  registration_ = std::move(other.registration_);
  return *this;
}
AfterFunc::~AfterFunc() = default;
AfterFunc::AfterFunc(Ref<Registration> registration) noexcept : registration_(std::move(registration)) {}

bool AfterFunc::stop() const noexcept { return registration_ && registration_->stop(); }

AfterFunc after_func(const Context& context, UniqueFunction<void()> fn) {
  DEGU_CHECK(static_cast<bool>(fn), "after_func: the function is empty: pass what is to run");
  Ref<Registration> registration(new Registration(context, std::move(fn)));
  registration->arm();
  return AfterFunc(std::move(registration));
}

}  // namespace degu
