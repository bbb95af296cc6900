#include <degu/sim/internal/pipe.h>

#include <cerrno>

namespace degu::sim::internal {

int Waiters::wait(rt::WaitReason reason, TimePoint until) noexcept {
  sync_internal::Waiter waiter;
  waiter.ticket = rt::begin_wait(rt::Interrupt::kObserve);
  waiter.tag = 0;
  queue_.push_back(&waiter);
  const uint16_t tag = rt::park(reason, this, until);
  if (tag == 0) return 0;
  queue_.remove(&waiter);
  return tag == rt::kTagTimeout ? ETIMEDOUT : ECANCELED;
}

void Waiters::wake_all() noexcept { sync_internal::wake_all(queue_.pop_all_claimed()); }

void Link::wake_all() noexcept {
  for (Pipe& pipe : pipes) {
    pipe.reader.wake_all();
    pipe.writer.wake_all();
  }
}

void Link::break_off() noexcept {
  broken = true;
  for (Pipe& pipe : pipes) {
    pipe.chunks.clear();
    pipe.under_way = 0;
  }
  wake_all();
}

}  // namespace degu::sim::internal
