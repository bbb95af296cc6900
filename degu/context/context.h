// Context: how long a piece of work may last, and what belongs to it. Go's context package.
//
// A goroutine always has a current context, inherited from the one that started it; every wait that can be
// long observes it. So contexts need not be passed on by hand. Explicit Contexts are for those that outlive a
// call: a server's request, a session.
//
// Rules: a child ends when its parent ends, never the other way round. Ending is once and for all. The first
// cause sticks. The earliest deadline wins.
#pragma once

#include <degu/base/error.h>
#include <degu/base/ref.h>
#include <degu/base/time.h>
#include <degu/rt/cancel.h>
#include <degu/sync/internal/context_node.h>

#include <chrono>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace degu {

/// Names a value of type T in a context; two keys are the same if they are the same object. Declare keys at
/// namespace scope:
///   inline constexpr degu::ContextKey<std::string> kUserId{"user id"};
template <class T>
class ContextKey {
 public:
  using value_type = T;
  explicit constexpr ContextKey(const char* name) noexcept : name_(name) {}
  ContextKey(const ContextKey&) = delete;
  ContextKey& operator=(const ContextKey&) = delete;
  constexpr const char* name() const noexcept { return name_; }

 private:
  const char* name_;
};

/// A handle on an immutable context: cheap to copy, thread-safe as far as the handle itself is not assigned
/// meanwhile. Default-constructed: the background, which never ends and holds nothing.
class Context {
 public:
  Context() noexcept = default;
  explicit Context(Ref<sync_internal::ContextNode> link) noexcept : link_(std::move(link)) {}
  /// The context of a TaskGroup, or of anything else that has one.
  template <class Owner>
  requires requires(const Owner& o) { Ref<sync_internal::ContextNode>(o.context_node()); }
  explicit Context(const Owner& owner) : link_(owner.context_node()) {}

  static Context background() noexcept { return {}; }

  /// Has it ended? To wait for it, use select's done(context), or wait().
  bool done() const noexcept { return node() != nullptr && node()->cancelled(); }
  /// kOk while it lasts, then kCancelled or kDeadlineExceeded.
  Code err() const noexcept { return node() == nullptr ? Code::kOk : node()->code(); }
  /// Why it ended: the cause given to the cancel function here or above, else a Cancelled or
  /// DeadlineExceeded. Null while it lasts.
  std::shared_ptr<const Error> cause() const;
  /// Throws Cancelled or DeadlineExceeded if it has ended, with what cause() says.
  void check() const;
  /// Parks until it has ended. The end of the caller's current context ends the wait too: throws Cancelled or
  /// DeadlineExceeded.
  void wait() const;

  /// When it ends by itself at the latest; nullopt: never.
  std::optional<TimePoint> deadline() const noexcept;
  /// What is left until then, not negative; nanoseconds::max() without a deadline.
  std::chrono::nanoseconds time_left() const noexcept;

  /// The value of the nearest ancestor that holds `key`, itself included; null if none does. Valid as long as
  /// the handle.
  template <class T>
  const T* value(const ContextKey<T>& key) const noexcept {
    return static_cast<const T*>(find(&key));
  }

  /// Two handles on one context.
  friend bool operator==(const Context& a, const Context& b) noexcept = default;

  /// Null: never ends.
  rt::CancelNode* node() const noexcept { return link_ ? link_->node() : nullptr; }
  const Ref<sync_internal::ContextNode>& context_node() const noexcept { return link_; }

 private:
  const void* find(const void* key) const noexcept;

  Ref<sync_internal::ContextNode> link_;
};

/// The calling goroutine's.
Context current_context() noexcept;

/// Ends a context; copies end the same one. Calling it again, or after the end, does nothing. Unlike
/// CancelScope it does not end the context when it goes: a context that nobody ends keeps its memory as long
/// as its parent lasts.
class CancelFunc {
 public:
  CancelFunc() noexcept = default;  // does nothing
  explicit CancelFunc(Ref<rt::CancelNode> node) noexcept : node_(std::move(node)) {}
  void operator()() const noexcept {
    if (node_) node_->cancel(Code::kCancelled);
  }

 private:
  Ref<rt::CancelNode> node_;
};

/// As CancelFunc, and says why: the context's err() is kCancelled, its cause() the error given.
class CancelCauseFunc {
 public:
  CancelCauseFunc() noexcept = default;
  explicit CancelCauseFunc(Ref<rt::CancelNode> node) noexcept : node_(std::move(node)) {}
  void operator()(Error cause) const;
  /// Without a reason: cause() is a Cancelled.
  void operator()() const noexcept {
    if (node_) node_->cancel(Code::kCancelled);
  }

 private:
  Ref<rt::CancelNode> node_;
};

/// auto [context, cancel] = with_cancel(current_context());
template <class Cancel>
struct ContextAnd {
  Context context;
  Cancel cancel;
};

/// A child that the function ends.
ContextAnd<CancelFunc> with_cancel(const Context& parent);
ContextAnd<CancelCauseFunc> with_cancel_cause(const Context& parent);
/// A child that ends at the deadline, if its parent's is not earlier, with kDeadlineExceeded.
ContextAnd<CancelFunc> with_deadline(const Context& parent, TimePoint deadline);
ContextAnd<CancelFunc> with_timeout(const Context& parent, std::chrono::nanoseconds timeout);
/// The same; `cause` is what cause() gives if it is this deadline that ends it.
ContextAnd<CancelFunc> with_deadline_cause(const Context& parent, TimePoint deadline, Error cause);
ContextAnd<CancelFunc> with_timeout_cause(const Context& parent, std::chrono::nanoseconds timeout,
                                          Error cause);
/// A child with the values of its parent, without its end and deadline.
Context without_cancel(const Context& parent);

namespace context_internal {

template <class T>
class ValueNode final : public sync_internal::ContextNode {
 public:
  template <class U>
  ValueNode(Ref<ContextNode> parent, Ref<rt::CancelNode> node, const ContextKey<T>& key, U&& value)
      : ContextNode(std::move(parent), std::move(node)), key_(&key), value_(std::forward<U>(value)) {}
  const void* value_here(const void* key) const noexcept override { return key == key_ ? &value_ : nullptr; }

 private:
  const void* key_;
  const T value_;
};

}  // namespace context_internal

/// A child that holds `value` for `key`. For what belongs to a request and crosses interfaces, not for
/// optional arguments. The value is read by many goroutines at once.
template <class T, class U>
requires std::is_constructible_v<T, U&&> Context with_value(const Context& parent, const ContextKey<T>& key,
                                                            U&& value) {
  return Context(Ref<sync_internal::ContextNode>(new context_internal::ValueNode<T>(
      parent.context_node(), Ref<rt::CancelNode>(parent.node()), key, std::forward<U>(value))));
}

}  // namespace degu
