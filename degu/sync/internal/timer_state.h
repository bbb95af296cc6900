// TimerState: what Timer, Ticker and FuncTimer share: an rt::Timer that anybody may stop and set anew.
#pragma once

#include <degu/base/ref.h>
#include <degu/base/time.h>
#include <degu/rt/block_pool.h>
#include <degu/rt/lock.h>
#include <degu/rt/timer.h>

#include <cstddef>
#include <cstdint>

namespace degu::sync_internal {

/// Each arming is numbered and owns a count of the state: stop() and the firing agree under the lock on which
/// of them came first, and whoever ends the arming gives its count back. Thread-safe.
///
/// Lock order: a state's lock before a channel's, P::timer_lock and the scheduler's. Nothing takes a state's
/// lock while it holds another.
class TimerState : public RefCounted<TimerState> {
 public:
  virtual ~TimerState() = default;

  static void* operator new(std::size_t bytes) { return rt::BlockPool::allocate(bytes); }
  static void operator delete(void* state, std::size_t bytes) noexcept {
    rt::BlockPool::release(state, bytes);
  }

  /// True: it was pending and will not fire. False: it has fired, or was not running.
  bool stop() noexcept;
  /// stop(), then lets it fire at `when`. Throws Error(kFailedPrecondition) where no scheduler runs.
  bool reset(TimePoint when);
  /// The first reset(), before anybody else knows the state: takes no lock.
  void start(TimePoint when);

 protected:
  TimerState() noexcept = default;

  /// The time has come. Called with lock_ held, on a scheduler thread: must not block; may wake, spawn, arm().
  virtual void on_due() noexcept = 0;
  /// With lock_ held: takes back what on_due() handed out and nobody has received.
  virtual bool take_back() noexcept { return false; }

  /// With lock_ held, not armed. False: no scheduler runs.
  bool arm(TimePoint when) noexcept;

  rt::Lock lock_;

 private:
  bool arm_timer(TimePoint when) noexcept;
  static void fire(void* arg, uint32_t seq) noexcept;
  static void drop(void* arg) noexcept;
  bool disarm() noexcept;

  static constexpr uint32_t kArmed = 1;

  // Its seq, which is guarded by lock_, is even while nothing is armed, else the number of the arming, which is odd.
  // Not a field apart, for its size: with a function of two words a timer takes 64 bytes.
  rt::Timer timer_;
};

}  // namespace degu::sync_internal
