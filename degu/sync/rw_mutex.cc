// RWMutex, after Go's sync/rwmutex.go: a writer announces itself by making readers_ negative, then waits for
// the readers that were there. Readers that come later see the negative count and wait for the writer's
// unlock, which lets in all of them at once.
#include <degu/base/assert.h>
#include <degu/rt/race_point.h>
#include <degu/sync/rw_mutex.h>

namespace degu {
namespace {
[[maybe_unused]] const bool owner_is_known =
    (rt::set_owner_offset(rt::WaitReason::kRWMutexRead, Mutex::owner_offset()), true);
}

void RWMutex::lock() noexcept {
  writers_.lock();
  const int32_t readers = readers_.fetch_sub(kMaxReaders, std::memory_order_acq_rel);
  DEGU_RACE_POINT();
  // Those who left since then have made departing_ negative.
  if (readers != 0 && departing_.fetch_add(readers, std::memory_order_acq_rel) + readers != 0) {
    writer_sema_.acquire(rt::WaitReason::kRWMutex, this);
  }
}

bool RWMutex::try_lock() noexcept {
  if (!writers_.try_lock()) return false;
  int32_t expected = 0;
  if (readers_.compare_exchange_strong(expected, -kMaxReaders, std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
    return true;
  }
  writers_.unlock();
  return false;
}

void RWMutex::unlock() noexcept {
  rt::sim_point();
  const int32_t readers = readers_.fetch_add(kMaxReaders, std::memory_order_acq_rel) + kMaxReaders;
  DEGU_CHECK(
      readers < kMaxReaders,
      "unlock of RWMutex {} that nobody writes: unlock() ends lock(), unlock_shared() ends lock_shared()",
      static_cast<const void*>(this));
  DEGU_RACE_POINT();
  if (readers > 0) reader_sema_.release(static_cast<uint32_t>(readers));
  writers_.unlock();
}

bool RWMutex::try_lock_shared() noexcept {
  int32_t readers = readers_.load(std::memory_order_relaxed);
  while (readers >= 0) {
    if (readers_.compare_exchange_weak(readers, readers + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

// The object is what has the owner: the writers' mutex.
void RWMutex::wait_for_writer() noexcept { reader_sema_.acquire(rt::WaitReason::kRWMutexRead, &writers_); }

void RWMutex::unlock_shared_slow(int32_t old) noexcept {
  DEGU_CHECK(old != 0 && old != -kMaxReaders,
             "unlock_shared of RWMutex {} that nobody reads: unlock_shared() ends lock_shared(), unlock() "
             "ends lock()",
             static_cast<const void*>(this));
  DEGU_RACE_POINT();
  if (departing_.fetch_sub(1, std::memory_order_acq_rel) == 1) writer_sema_.release(1);
}

}  // namespace degu
