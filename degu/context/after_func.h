// after_func: run something when a context has ended. Go's context.AfterFunc.
#pragma once

#include <degu/base/function.h>
#include <degu/base/ref.h>
#include <degu/context/context.h>

namespace degu {

namespace context_internal {
class Registration;
}

/// Returned by after_func(). Dropping it changes nothing: the function stays registered.
class AfterFunc {
 public:
  AfterFunc() noexcept;
  AfterFunc(const AfterFunc&) noexcept;
  AfterFunc(AfterFunc&&) noexcept;
  AfterFunc& operator=(AfterFunc) noexcept;
  ~AfterFunc();

  /// Unregisters. True: the function has not run and never will. False: it was started in its goroutine,
  /// where it may still be running, or stopped before. Does not wait. Thread-safe.
  bool stop() const noexcept;

 private:
  friend AfterFunc after_func(const Context& context, UniqueFunction<void()> fn);
  explicit AfterFunc(Ref<context_internal::Registration> registration) noexcept;

  Ref<context_internal::Registration> registration_;
};

/// Runs `fn` once, in a goroutine of its own, when `context` has ended; at once if it has. `fn` sees the
/// values of `context` but not its end. An exception ends the process, as with degu::go. Several functions
/// for one context run independently.
AfterFunc after_func(const Context& context, UniqueFunction<void()> fn);

}  // namespace degu
