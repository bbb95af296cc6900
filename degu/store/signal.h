// Signal: "look again" for one waiting goroutine, with a deadline.
#pragma once

#include <degu/base/time.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>

namespace degu::store {

/// An event that resets itself. notify() is remembered until one wait has seen it; several count as one. One
/// goroutine waits at a time, any number notify, also from foreign threads.
class Signal {
 public:
  void notify() noexcept;

  /// Parks until notified (true) or `deadline` (false). Throws Cancelled or DeadlineExceeded when the context
  /// ends.
  bool wait_until(TimePoint deadline);

 private:
  rt::Lock lock_;
  bool set_ = false;
  bool waiting_ = false;
  rt::Ticket ticket_{};
};

}  // namespace degu::store
