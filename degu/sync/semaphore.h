// Semaphore: a number of permits that goroutines take and give back, several at a time. Go's
// x/sync/semaphore.Weighted.
#pragma once

#include <degu/base/time.h>
#include <degu/rt/lock.h>
#include <degu/sync/internal/wait_queue.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace degu {

/// FIFO: nobody overtakes a waiter, so large requests do not starve. Thread-safe. No allocation.
class Semaphore {
 public:
  /// Permits held by a scope; gives them back at its end. Move-only.
  class Permit {
   public:
    Permit() noexcept = default;
    Permit(Permit&& other) noexcept
        : semaphore_(std::exchange(other.semaphore_, nullptr)), permits_(std::exchange(other.permits_, 0)) {}
    Permit& operator=(Permit other) noexcept {
      std::swap(semaphore_, other.semaphore_);
      std::swap(permits_, other.permits_);
      return *this;
    }
    ~Permit() {
      if (semaphore_ != nullptr) semaphore_->release(permits_);
    }
    explicit operator bool() const noexcept { return semaphore_ != nullptr; }

   private:
    friend class Semaphore;
    Permit(Semaphore* semaphore, int64_t permits) noexcept : semaphore_(semaphore), permits_(permits) {}

    Semaphore* semaphore_ = nullptr;
    int64_t permits_ = 0;
  };

  /// All `capacity` permits are free at first.
  explicit Semaphore(int64_t capacity) noexcept : capacity_(capacity), free_(capacity) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Takes `permits` at once; waits for them. Throws Cancelled or DeadlineExceeded, with nothing taken, when
  /// the current context ends the wait (and lets the next waiter in); Error(kInvalidArgument) when it can
  /// never have so many.
  void acquire(int64_t permits = 1);
  /// acquire() for a scope.
  [[nodiscard]] Permit hold(int64_t permits = 1) {
    acquire(permits);
    return Permit(this, permits);
  }

  /// Never waits. False: not free, or others wait already.
  [[nodiscard]] bool try_acquire(int64_t permits = 1) noexcept;
  /// Waits at most so long; false: not taken.
  [[nodiscard]] bool try_acquire_until(TimePoint deadline, int64_t permits = 1);
  [[nodiscard]] bool try_acquire_for(std::chrono::nanoseconds patience, int64_t permits = 1) {
    return try_acquire_until(after_delay(now(), patience), permits);
  }

  /// Gives back. Aborts the process if more is given back than was taken.
  void release(int64_t permits = 1) noexcept;

  int64_t capacity() const noexcept { return capacity_; }
  /// Free permits now; a hint.
  int64_t available() noexcept;

  bool has_waiters_for_test() const noexcept { return !queue_.empty_hint(); }
  std::size_t waiters_for_test() noexcept;

 private:
  struct PermitWaiter;

  bool take(int64_t permits) noexcept;
  sync_internal::Waiter* grant() noexcept;

  rt::Lock lock_;
  const int64_t capacity_;
  int64_t free_;
  sync_internal::WaitQueue queue_;
};

}  // namespace degu
