// with_source: a context that something outside Degu ends. What a type of one's own that implements context.Context is
// in Go.
#pragma once

#include <degu/context/context.h>

#include <type_traits>
#include <utility>

namespace degu {
namespace context_internal {

template <class Subscription>
class SourceNode final : public sync_internal::ContextNode {
 public:
  template <class Subscribe>
  SourceNode(const Context& parent, TimePoint deadline, Subscribe&& subscribe)
      : ContextNode(parent.context_node(), rt::CancelNode::make(parent.node(), deadline)),
        subscription_(
            std::forward<Subscribe>(subscribe)(CancelCauseFunc(Ref<rt::CancelNode>(this->node())))) {}

 private:
  Subscription subscription_;
};

}  // namespace context_internal

/// A child of `parent` for a cancellation of another library. Calls `subscribe(CancelCauseFunc end)` once, before it
/// returns; `end` may be kept, copied and called from any thread, also a foreign one, at once or never. What
/// `subscribe` returns need not be movable; it is kept as long as the context or one of its descendants is, and its
/// destructor has to unsubscribe. It runs in whatever goroutine or thread drops the last handle, so it must not wait
/// for `end` to be called; the source has to outlive it. `deadline`: when the source is known to end, if it is.
///
///   degu::Context context = with_source(parent, [&](degu::CancelCauseFunc end) {
///     return client.on_disconnect([end] { end(Error(Code::kUnavailable, "client went away")); });
///   });
template <class Subscribe>
requires std::is_object_v<std::invoke_result_t<Subscribe, CancelCauseFunc>> Context
with_source(const Context& parent, Subscribe&& subscribe, TimePoint deadline = kNever) {
  using Node = context_internal::SourceNode<std::invoke_result_t<Subscribe, CancelCauseFunc>>;
  return Context(
      Ref<sync_internal::ContextNode>(new Node(parent, deadline, std::forward<Subscribe>(subscribe))));
}

}  // namespace degu
