// CancelScope, ContextScope, Shield: what the calling goroutine's current context is, for a scope.
#pragma once

#include <degu/base/error.h>
#include <degu/base/time.h>
#include <degu/context/context.h>
#include <degu/rt/cancel.h>
#include <degu/rt/park.h>
#include <degu/rt/sim_point.h>

#include <chrono>
#include <utility>

namespace degu {

/// Makes `context` the current one for a scope. Scopes of one goroutine nest; they live on its stack.
class ContextScope {
 public:
  explicit ContextScope(const Context& context) noexcept
      : former_(rt::exchange_context(Ref<rt::ContextBase>(context.context_node()))) {}
  ~ContextScope() { rt::exchange_context(std::move(former_)); }
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  Ref<rt::ContextBase> former_;
};

/// Runs the rest of the scope with a child of the current context, which ends at the deadline, by cancel(),
/// or with the scope. What Go writes as `ctx, cancel := context.WithTimeout(ctx, d); defer cancel()`.
/// Goroutines started within inherit it, so they are told when the scope ends. A wait that its end cuts short
/// throws out of the scope.
///
///   degu::CancelScope scope(500ms);
///   auto stock = inventory.get(sku);      // throws DeadlineExceeded after 500 ms, or when the caller's time
///   is up
class CancelScope {
 public:
  /// Ends by cancel(), or with the parent.
  CancelScope() : CancelScope(kNever) {}
  explicit CancelScope(std::chrono::nanoseconds timeout)
      : CancelScope(after_delay(rt::sim_point_now(), timeout)) {}
  explicit CancelScope(TimePoint deadline)
      : context_(sync_internal::make_cancellable(sync_internal::ContextNode::current(), deadline)),
        scope_(context_) {}
  ~CancelScope() { cancel(); }
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;

  /// Thread-safe, as long as the scope lives.
  void cancel() noexcept { context_.node()->cancel(Code::kCancelled); }
  void cancel(Error cause) { CancelCauseFunc(Ref<rt::CancelNode>(context_.node()))(std::move(cause)); }

  /// The scope's; may be kept longer than the scope, it has ended then.
  const Context& context() const noexcept { return context_; }

 private:
  Context context_;
  ContextScope scope_;
};

/// For a scope the goroutine's waits ignore its context: for clean-up that must not be cut short. Goroutines
/// started within are not shielded. Destructors that run while an exception unwinds need none. Bound the
/// clean-up by other means: a shielded wait can be long.
class Shield {
 public:
  Shield() noexcept { rt::shield(+1); }
  ~Shield() { rt::shield(-1); }
  Shield(const Shield&) = delete;
  Shield& operator=(const Shield&) = delete;
};

}  // namespace degu
