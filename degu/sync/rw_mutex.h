// RWMutex: many readers or one writer. Go's sync.RWMutex.
#pragma once

#include <degu/sync/internal/sema.h>
#include <degu/sync/mutex.h>

#include <atomic>
#include <cstdint>

namespace degu {

/// A writer that waits keeps new readers out, so writers do not starve; readers that waited during a write go
/// before the next writer, so readers do not either. Hence a reader must not lock it a second time. Not
/// upgradable. Does not observe the context. Any goroutine or foreign thread may unlock. Meets Lockable and
/// SharedLockable: std::unique_lock to write, std::shared_lock to read. No allocation.
class RWMutex {
 public:
  RWMutex() noexcept = default;
  RWMutex(const RWMutex&) = delete;
  RWMutex& operator=(const RWMutex&) = delete;

  /// To write. Waits for the readers and writers that hold it.
  void lock() noexcept;
  [[nodiscard]] bool try_lock() noexcept;
  /// Aborts the process when it is not locked.
  void unlock() noexcept;

  /// To read. Waits only while a writer holds it or waits for it.
  void lock_shared() noexcept {
    rt::sim_point();
    // acquire pairs with the release in unlock().
    if (readers_.fetch_add(1, std::memory_order_acquire) < 0) wait_for_writer();
  }
  [[nodiscard]] bool try_lock_shared() noexcept;
  /// Aborts the process when it is not locked to read.
  void unlock_shared() noexcept {
    rt::sim_point();
    // release pairs with the acquire in lock().
    const int32_t old = readers_.fetch_sub(1, std::memory_order_acq_rel);
    if (old <= 0) unlock_shared_slow(old);
  }

 private:
  static constexpr int32_t kMaxReaders = 1 << 30;

  void wait_for_writer() noexcept;
  void unlock_shared_slow(int32_t old) noexcept;

  Mutex writers_;                      // held by the writer; others queue here
  sync_internal::Sema writer_sema_;    // the writer waits for the readers before it
  sync_internal::Sema reader_sema_;    // readers wait for the writer
  std::atomic<int32_t> readers_{0};    // minus kMaxReaders while a writer has announced itself
  std::atomic<int32_t> departing_{0};  // readers that the writer still waits for
};

}  // namespace degu
