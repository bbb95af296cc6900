// Pool<T>: objects that are expensive to make, kept for the next user. Go's sync.Pool.
#pragma once

#include <degu/base/function.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/sync/internal/wait_queue.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace degu {

/// A cache of idle objects, sharded by P, so that get() and put() of goroutines on different Ps do not meet.
/// Bounded: kShards times kIdlePerShard idle objects; put() destroys what exceeds that. Objects come back as
/// they were put: reset them before. Thread-safe, never waits. `make` may be called by several goroutines at
/// once.
template <class T>
class Pool {
 public:
  static constexpr std::size_t kShards = 16;
  static constexpr std::size_t kIdlePerShard = 15;

  /// An object for a scope; goes back to the pool at its end. The pool must outlive it.
  class Lease {
   public:
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (object_) pool_->put(std::move(object_));
    }
    T& operator*() const noexcept { return *object_; }
    T* operator->() const noexcept { return object_.get(); }

   private:
    friend class Pool;
    Lease(Pool* pool, std::unique_ptr<T> object) : pool_(pool), object_(std::move(object)) {}
    Pool* pool_;
    std::unique_ptr<T> object_;
  };

  /// Makes objects with `make`, by default with new T().
  Pool() : Pool([] { return std::make_unique<T>(); }) {}
  explicit Pool(UniqueFunction<std::unique_ptr<T>()> make) : make_(std::move(make)) {}
  ~Pool() { clear(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// An idle object, the one put last by this P if possible, or a new one.
  std::unique_ptr<T> get() {
    const std::size_t home = rt::current_proc();
    for (std::size_t i = 0; i < kShards; ++i) {
      if (T* object = shards_[(home + i) % kShards].pop()) return std::unique_ptr<T>(object);
    }
    return make_();
  }
  Lease borrow() { return Lease(this, get()); }

  /// Gives an object to the pool. Null is ignored.
  void put(std::unique_ptr<T> object) noexcept {
    if (object != nullptr && shards_[rt::current_proc() % kShards].push(object.get())) object.release();
  }

  /// Destroys all idle objects.
  void clear() noexcept {
    for (Shard& shard : shards_) {
      while (T* object = shard.pop()) delete object;
    }
  }

 private:
  struct alignas(64) Shard {
    rt::Lock lock;
    std::atomic<uint32_t> count{0};  // changes under the lock; read without it as a hint
    std::array<T*, kIdlePerShard> idle;

    T* pop() noexcept {
      if (count.load(std::memory_order_relaxed) == 0) return nullptr;
      const sync_internal::LockGuard guard(lock);
      const uint32_t n = count.load(std::memory_order_relaxed);
      if (n == 0) return nullptr;
      count.store(n - 1, std::memory_order_relaxed);
      return idle[n - 1];
    }
    bool push(T* object) noexcept {
      const sync_internal::LockGuard guard(lock);
      const uint32_t n = count.load(std::memory_order_relaxed);
      if (n == kIdlePerShard) return false;
      idle[n] = object;
      count.store(n + 1, std::memory_order_relaxed);
      return true;
    }
  };

  UniqueFunction<std::unique_ptr<T>()> make_;
  std::array<Shard, kShards> shards_;
};

}  // namespace degu
