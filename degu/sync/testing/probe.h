// Helpers of the tests of sync and context: waiting for a state instead of sleeping.
#pragma once

#include <degu/base/error.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace degu::testing {

/// Lets others run until `condition()` holds.
template <class F>
void until(F condition) {
  while (!condition()) yield();
}

/// Somebody waits to receive (send).
template <class C>
bool receiver_waits(const C& chan) {
  return !chan.core()->receivers.empty_hint();
}
template <class C>
bool sender_waits(const C& chan) {
  return !chan.core()->senders.empty_hint();
}

/// The code of the Error that `fn` throws; kOk if it throws none.
template <class F>
Code code_of(F&& fn) {
  try {
    fn();
  } catch (const Error& e) {
    return e.code();
  }
  return Code::kOk;
}

/// Counts its living instances.
class Counted {
 public:
  explicit Counted(int value = 0) : value_(value) { alive.fetch_add(1); }
  Counted(const Counted& other) : value_(other.value_) { alive.fetch_add(1); }
  Counted(Counted&& other) noexcept : value_(std::exchange(other.value_, -1)) { alive.fetch_add(1); }
  Counted& operator=(const Counted&) = default;
  Counted& operator=(Counted&&) noexcept = default;
  ~Counted() { alive.fetch_sub(1); }
  int value() const { return value_; }

  static inline std::atomic<int> alive{0};

 private:
  int value_;
};

/// Its moves throw while `armed`; move-only.
class Explosive {
 public:
  explicit Explosive(int value) : value_(value) { alive.fetch_add(1); }
  Explosive(Explosive&& other) : value_(other.value_) {
    if (armed.load()) throw Error(Code::kInternal, "moved");
    other.value_ = -1;
    alive.fetch_add(1);
  }
  Explosive& operator=(Explosive&& other) {
    if (armed.load()) throw Error(Code::kInternal, "moved");
    value_ = std::exchange(other.value_, -1);
    return *this;
  }
  ~Explosive() { alive.fetch_sub(1); }
  int value() const { return value_; }

  static inline std::atomic<bool> armed{false};
  static inline std::atomic<int> alive{0};

 private:
  int value_;
};

}  // namespace degu::testing
