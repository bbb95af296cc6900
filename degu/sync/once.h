// Once, OnceFunc, OnceValue: something that is done one time, by whoever comes first. Go's sync.Once,
// OnceFunc, OnceValue.
#pragma once

#include <degu/sync/mutex.h>

#include <atomic>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace degu {

/// Thread-safe. After the first call has ended, call() costs one load. No allocation.
class Once {
 public:
  Once() noexcept = default;
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;

  /// Runs `fn` if no call did before; otherwise waits until that one has ended. When it returns, `fn` has
  /// run. An exception counts as done, as a panic does in Go: it leaves the first call, later calls return
  /// normally (OnceFunc repeats it). The wait does not observe the context. A call from within `fn` waits for
  /// ever.
  template <class F>
  void call(F&& fn) {
    // acquire pairs with the release below: who sees done_ sees what fn did.
    if (!done_.load(std::memory_order_acquire)) call_slow(fn);
  }

  /// A call has ended.
  bool done() const noexcept { return done_.load(std::memory_order_acquire); }

 private:
  template <class F>
  void call_slow(F& fn) {
    struct Finish {
      Once& once;
      ~Finish() { once.mutex_.unlock(); }
    };
    mutex_.lock();
    const Finish finish{*this};
    if (done_.load(std::memory_order_relaxed)) return;
    struct Mark {
      std::atomic<bool>& done;
      ~Mark() { done.store(true, std::memory_order_release); }
    };
    const Mark mark{done_};
    fn();
  }

  std::atomic<bool> done_{false};
  Mutex mutex_;
};

/// A function that runs once; each call returns the one result, or throws the one exception. Thread-safe; not
/// copyable.
///   degu::OnceValue config([] { return load_config(); });   ...  config().port
template <class F>
class OnceValue {
 public:
  using Result = std::invoke_result_t<F&>;
  static_assert(std::is_object_v<Result>, "OnceValue: the function must return a value; see OnceFunc");

  explicit OnceValue(F fn) : fn_(std::in_place, std::move(fn)) {}

  const Result& operator()() {
    once_.call([this] {
      try {
        value_.emplace((*fn_)());
      } catch (...) {
        error_ = std::current_exception();
      }
      fn_.reset();  // what it captured is not needed any more
    });
    if (error_) std::rethrow_exception(error_);
    return *value_;
  }

 private:
  Once once_;
  std::optional<F> fn_;
  std::optional<Result> value_;
  std::exception_ptr error_;
};

/// As OnceValue, for a function without a result.
template <class F>
class OnceFunc {
 public:
  explicit OnceFunc(F fn) : fn_(std::in_place, std::move(fn)) {}

  void operator()() {
    once_.call([this] {
      try {
        (*fn_)();
      } catch (...) {
        error_ = std::current_exception();
      }
      fn_.reset();
    });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  Once once_;
  std::optional<F> fn_;
  std::exception_ptr error_;
};

}  // namespace degu
