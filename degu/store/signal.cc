#include <degu/store/signal.h>

#include <mutex>

namespace degu::store {

void Signal::notify() noexcept {
  rt::G* wake = nullptr;
  {
    std::lock_guard guard(lock_);
    set_ = true;
    if (waiting_ && rt::claim(ticket_, 0)) {
      waiting_ = false;
      wake = ticket_.g;
    }
  }
  if (wake != nullptr) rt::wake(wake);
}

bool Signal::wait_until(TimePoint deadline) {
  {
    std::lock_guard guard(lock_);
    if (set_) {
      set_ = false;
      return true;
    }
    ticket_ = rt::begin_wait(rt::Interrupt::kObserve);
    waiting_ = true;
  }
  const uint16_t tag = rt::park(rt::WaitReason::kOther, this, deadline);
  {
    std::lock_guard guard(lock_);
    waiting_ = false;
    if (set_) {
      set_ = false;
      return true;
    }
  }
  if (tag == rt::kTagCancelled) rt::throw_interrupted();
  return false;
}

}  // namespace degu::store
