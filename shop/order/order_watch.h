// OrderWatch: who waits for an order to change.
#pragma once

#include <degu/base/time.h>
#include <degu/sync/cond.h>
#include <degu/sync/mutex.h>

#include <map>
#include <string>
#include <string_view>

namespace shop::order {

/// Says that there is something to read, not what: watchers look into the database. Goroutine-safe; outlives its watchers.
class OrderWatch {
 public:
  /// Hears of every change of an order that is committed while it lives. Belongs to one goroutine.
  class Watcher {
   public:
    Watcher(OrderWatch& watch, std::string_view order_id);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    /// Waits for a change since the last call, or since it was made; false: none until `deadline`. Throws Cancelled or
    /// DeadlineExceeded when the current context ends.
    bool wait_until(degu::TimePoint deadline);

   private:
    friend class OrderWatch;
    OrderWatch& watch_;
    bool rung_ = false;  // these are guarded by the watch's lock
    degu::Cond changed_;
    std::multimap<std::string, Watcher*, std::less<>>::iterator place_;
  };

  /// Call it when the change is committed.
  void changed(std::string_view order_id);

 private:
  degu::Mutex lock_;  // guards the rest
  std::multimap<std::string, Watcher*, std::less<>> watchers_;
};

}  // namespace shop::order
