// Interceptor: code around calls, for what every call wants (logging, limits, traces).
#pragma once

#include <degu/rpc/call.h>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace degu::rpc {

namespace internal {

/// A callable that is only referred to, for the length of a call.
class BodyRef {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, BodyRef>) BodyRef(F&& body)
  noexcept
      : object_(const_cast<void*>(static_cast<const void*>(&body))),
        call_([](void* object) { (*static_cast<std::remove_reference_t<F>*>(object))(); }) {}
  void operator()() const { call_(object_); }

 private:
  void* object_;
  void (*call_)(void*);
};

}  // namespace internal

class Interceptor;
using Interceptors = std::vector<std::shared_ptr<Interceptor>>;

/// The rest of the chain, down to the method. Valid while intercept() runs.
class Next {
 public:
  Next(const CallInfo& call, const Interceptors& interceptors, std::size_t index,
       internal::BodyRef body) noexcept
      : call_(call), interceptors_(interceptors), index_(index), body_(body) {}
  /// Throws degu::Error when the call fails. Calling it again repeats the call.
  void operator()() const;

 private:
  const CallInfo& call_;
  const Interceptors& interceptors_;
  std::size_t index_;
  internal::BodyRef body_;
};

/// Surrounds calls: does something, calls next(), does something. Throwing instead of calling next() refuses
/// the call. One object serves many calls at once: it must be safe to call concurrently.
class Interceptor {
 public:
  virtual ~Interceptor() = default;
  virtual void intercept(const CallInfo& call, const Next& next) = 0;
};

/// An interceptor from a callable `void(const CallInfo&, const Next&)`.
template <class F>
std::shared_ptr<Interceptor> make_interceptor(F function) {
  class Made final : public Interceptor {
   public:
    explicit Made(F f) : function_(std::move(f)) {}
    void intercept(const CallInfo& call, const Next& next) override { function_(call, next); }

   private:
    F function_;
  };
  return std::make_shared<Made>(std::move(function));
}

namespace internal {

/// Runs `body` inside the interceptors, the first one outermost. Whatever is thrown that is no degu::Error
/// becomes Error(kUnknown) whose message tells nothing of it; the exception is its cause and goes to the log.
void run_intercepted(const CallInfo& call, const Interceptors& interceptors, BodyRef body);

}  // namespace internal
}  // namespace degu::rpc
