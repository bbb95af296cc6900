// WaitGroup: waits for a number of goroutines to end. Go's sync.WaitGroup.
#pragma once

#include <degu/rt/lock.h>
#include <degu/rt/owner.h>
#include <degu/rt/run.h>
#include <degu/sync/internal/wait_queue.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace degu {

/// A counter that can be waited for. May live on the stack of the goroutine that waits, and end as soon as
/// wait() has returned. If the tasks can fail, or must not outlive their starter, use TaskGroup. Reusable
/// after wait(). Thread-safe. No allocation.
///
///   degu::WaitGroup wg;
///   for (auto& job : jobs) wg.go([&job] { job.run(); });
///   wg.wait();
class WaitGroup {
 public:
  WaitGroup() noexcept = default;
  /// Waits until the counter is zero, whatever the context says: so a wait() that throws does not leave
  /// goroutines behind that use a frame which is gone.
  ~WaitGroup();
  WaitGroup(const WaitGroup&) = delete;
  WaitGroup& operator=(const WaitGroup&) = delete;

  /// Adds `delta`, which may be negative. Aborts the process if the counter becomes negative. From zero it
  /// must be raised before the wait() that is to see it.
  void add(int delta = 1) noexcept;
  /// add(-1).
  void done() noexcept { add(-1); }

  /// The counter is zero now.
  bool idle() const noexcept { return count_.load(std::memory_order_acquire) == 0; }

  /// Waits until the counter is zero. Throws Cancelled or DeadlineExceeded when the current context ends
  /// first; the goroutines may then still be running.
  void wait();

  /// add(1) and a goroutine that runs and destroys `fn`, then done(). An exception ends the process, as with
  /// degu::go.
  template <class F>
  void go(F&& fn) {
    add(1);
    degu::go([this, body = std::optional<std::decay_t<F>>(std::forward<F>(fn))]() mutable {
      rt::set_joins(this);
      (*body)();
      body.reset();
      done();
    });
  }

  bool has_waiters_for_test() const noexcept { return !queue_.empty_hint(); }

 private:
  void add_slow(int delta) noexcept;
  bool wait_until_zero(rt::Interrupt interrupt) noexcept;

  rt::Lock lock_;
  std::atomic<int32_t> count_{
      0};  // becomes zero only under lock_, so that the waiter may free this once it holds lock_
  sync_internal::WaitQueue queue_;
};

}  // namespace degu
