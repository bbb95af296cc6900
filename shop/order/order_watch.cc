#include <shop/order/order_watch.h>

#include <mutex>
#include <utility>

namespace shop::order {

OrderWatch::Watcher::Watcher(OrderWatch& watch, std::string_view order_id) : watch_(watch) {
  const std::lock_guard guard(watch_.lock_);
  place_ = watch_.watchers_.emplace(order_id, this);
}

OrderWatch::Watcher::~Watcher() {
  const std::lock_guard guard(watch_.lock_);
  watch_.watchers_.erase(place_);
}

bool OrderWatch::Watcher::wait_until(degu::TimePoint deadline) {
  std::unique_lock guard(watch_.lock_);
  if (!changed_.wait_until(guard, deadline, [this] { return rung_; })) return false;
  rung_ = false;
  return true;
}

void OrderWatch::changed(std::string_view order_id) {
  const std::lock_guard guard(lock_);
  const auto [begin, end] = watchers_.equal_range(order_id);
  for (auto at = begin; at != end; ++at) {
    at->second->rung_ = true;
    at->second->changed_.signal();
  }
}

}  // namespace shop::order
