// SingleFlight: concurrent calls for one key share one execution. Go's x/sync/singleflight.
#pragma once

#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/mutex.h>
#include <degu/sync/wait_group.h>

#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace degu {

/// What a call gave: a copy of the value, and whether others got it too.
template <class V>
struct SharedResult {
  V value;
  bool shared = false;
};

/// As SharedResult, through a channel: `error` is set instead of `value` when the function threw.
template <class V>
struct SharedOutcome {
  std::optional<V> value;
  std::exception_ptr error;
  bool shared = false;
};

/// Against stampedes: of many goroutines that want the same thing at once, one fetches it and the others wait
/// for its result. K is hashable and copyable, V copyable. Nothing is cached: a call that comes after the
/// execution has ended starts another. Thread-safe. May be destroyed while calls of call_chan() run.
template <class K, class V>
class SingleFlight {
 public:
  /// Runs `fn()`, or waits for the execution for `key` that is under way. An exception reaches all callers,
  /// as the same object. The execution runs in the first caller with its context; when that ends it, one of
  /// the others starts anew, as their time is not up. The end of a waiting caller's own context ends its wait
  /// only: it throws Cancelled or DeadlineExceeded.
  template <class F>
  SharedResult<V> call(const K& key, F&& fn) {
    for (;;) {
      auto [flight, first] = state_->join(key);
      if (first) {
        State::run(*state_, *flight, key, fn);
      } else {
        flight->landed.wait();
        if (flight->abandoned) continue;
      }
      if (flight->error) std::rethrow_exception(flight->error);
      return {*flight->value, flight->followers != 0};
    }
  }

  /// As call(), in a goroutine of its own with the caller's context; the outcome comes through the channel.
  template <class F>
  RecvChan<SharedOutcome<V>> call_chan(const K& key, F&& fn) {
    auto result = make_chan<SharedOutcome<V>>(1);
    degu::go([state = state_, key, result, body = std::forward<F>(fn)]() mutable {
      SharedOutcome<V> outcome;
      try {
        SingleFlight self(std::move(state));
        auto got = self.call(key, body);
        outcome.value.emplace(std::move(got.value));
        outcome.shared = got.shared;
      } catch (...) {
        outcome.error = std::current_exception();
      }
      static_cast<void>(result.try_send(std::move(outcome)));
    });
    return result;
  }

  /// The next call for `key` starts a new execution, whether one is under way or not.
  void forget(const K& key) {
    const std::lock_guard guard(state_->mutex);
    state_->flights.erase(key);
  }

  SingleFlight() : state_(std::make_shared<State>()) {}

  /// How many calls wait for the execution for `key` that is under way.
  int followers_for_test(const K& key) const {
    const std::lock_guard guard(state_->mutex);
    auto it = state_->flights.find(key);
    return it == state_->flights.end() ? 0 : it->second->followers;
  }

 private:
  struct Flight {
    WaitGroup landed;
    std::optional<V> value;  // this and the next two are written before landed.done()
    std::exception_ptr error;
    bool abandoned = false;  // the context of the goroutine that ran it has ended
    int followers = 0;       // guarded by State::mutex until it has left the map
    Flight() { landed.add(1); }
  };

  struct State {
    Mutex mutex;
    std::unordered_map<K, std::shared_ptr<Flight>> flights;

    std::pair<std::shared_ptr<Flight>, bool> join(const K& key) {
      const std::lock_guard guard(mutex);
      auto [it, first] = flights.try_emplace(key);
      if (first) {
        try {
          it->second = std::make_shared<Flight>();
        } catch (...) {
          flights.erase(it);
          throw;
        }
      } else {
        ++it->second->followers;
      }
      return {it->second, first};
    }

    template <class F>
    static void run(State& state, Flight& flight, const K& key, F& fn) {
      try {
        flight.value.emplace(fn());
      } catch (...) {
        flight.error = std::current_exception();
        flight.abandoned = rt::interrupted();
      }
      {
        const std::lock_guard guard(state.mutex);
        auto it = state.flights.find(key);
        if (it != state.flights.end() && it->second.get() == &flight) state.flights.erase(it);
      }
      flight.landed.done();
    }
  };

  explicit SingleFlight(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace degu
