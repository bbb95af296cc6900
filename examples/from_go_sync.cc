// The idioms of docs/from-go.md about locks and shared state.
#include <degu/degu.h>
#include <degu/sync/concurrent_map.h>
#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>

using namespace std::chrono_literals;

namespace {

// [mutex]
class Counter {
 public:
  void add(int n) {
    const std::lock_guard lock(mutex_);  // unlocks at the end of the scope
    value_ += n;
  }
  int value() {
    const std::lock_guard lock(mutex_);
    return value_;
  }

 private:
  degu::Mutex mutex_;
  int value_ = 0;
};
// [/mutex]

// [rw-mutex]
class Config {
 public:
  std::string get(const std::string& key) {
    const std::shared_lock lock(mutex_);
    const auto found = values_.find(key);
    return found == values_.end() ? "" : found->second;
  }
  void set(const std::string& key, std::string value) {
    const std::unique_lock lock(mutex_);
    values_[key] = std::move(value);
  }

 private:
  degu::RWMutex mutex_;
  std::map<std::string, std::string> values_;
};
// [/rw-mutex]

// [cond]
class Queue {
 public:
  void push(int value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(value);
    filled_.signal();
  }
  int pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return !values_.empty(); });
    const int value = values_.front();
    values_.pop_front();
    return value;
  }

 private:
  degu::Mutex mutex_;
  degu::Cond filled_;
  std::deque<int> values_;
};
// [/cond]

void locks() {
  Counter counter;
  degu::WaitGroup wg;
  for (int i = 0; i < 100; ++i) wg.go([&counter] { counter.add(1); });
  wg.wait();
  Config config;
  config.set("port", "8080");
  Queue queue;
  wg.go([&queue] { queue.push(42); });
  const int popped = queue.pop();
  wg.wait();
  fmt::print("locks: {} {} {}\n", counter.value(), config.get("port"), popped);
}

void once() {
  int loads = 0;
  // [once]
  degu::Once started;
  for (int i = 0; i < 3; ++i) started.call([&] { ++loads; });

  degu::OnceValue port([] { return 8080; });  // sync.OnceValue
  // [/once]
  fmt::print("once: {} {}\n", loads, port());
}

void map() {
  // [map]
  degu::ConcurrentMap<std::string, int> stock;
  stock.store("tea", 3);
  const auto [value, loaded] = stock.load_or_store("tea", 5);
  const auto none = stock.load("coffee");  // nullopt
  int total = 0;
  stock.range([&](const std::string&, int count) {
    total += count;
    return true;  // go on
  });
  stock.erase("tea");
  // [/map]
  fmt::print("map: {} {} {} {} {}\n", value, loaded, none.has_value(), total, stock.size());
}

void pool() {
  // [pool]
  degu::Pool<std::string> buffers;
  {
    auto buffer = buffers.borrow();  // goes back at the end of the scope
    buffer->assign("reply");
  }
  // [/pool]
  fmt::print("pool: {}\n", buffers.borrow()->size());
}

void semaphore() {
  std::atomic<int> working = 0;
  std::atomic<int> most = 0;
  degu::WaitGroup wg;
  // [semaphore]
  degu::Semaphore slots(3);
  for (int i = 0; i < 10; ++i) {
    wg.go([&] {
      const auto slot = slots.hold();  // given back at the end of the scope
      most = std::max(most.load(), ++working);
      degu::yield();
      --working;
    });
  }
  // [/semaphore]
  wg.wait();
  fmt::print("semaphore: {}\n", most <= 3);
}

void single_flight() {
  std::atomic<int> queries = 0;
  degu::WaitGroup wg;
  // [single-flight]
  degu::SingleFlight<std::string, int> flights;
  for (int i = 0; i < 5; ++i) {
    wg.go([&] {
      const auto price = flights.call("tea", [&] {
        ++queries;
        degu::sleep(20ms);
        return 12;
      });
      if (price.value != 12) std::abort();
    });
  }
  // [/single-flight]
  wg.wait();
  fmt::print("single flight: {}\n", queries < 5);
}

void atomics() {
  // [atomic]
  std::atomic<int64_t> hits = 0;  // atomic.Int64
  hits.fetch_add(1);
  int64_t expected = 1;
  const bool swapped = hits.compare_exchange_strong(expected, 2);
  // [/atomic]
  fmt::print("atomic: {} {}\n", hits.load(), swapped);
}

}  // namespace

int main() {
  return degu::run([] {
    locks();
    once();
    map();
    pool();
    semaphore();
    single_flight();
    atomics();
  });
}
