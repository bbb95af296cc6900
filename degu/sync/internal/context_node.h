// ContextNode: one link of the chain of contexts behind degu::Context. It is here, not in degu/context,
// because a TaskGroup makes one.
#pragma once

#include <degu/base/ref.h>
#include <degu/rt/cancel.h>

#include <utility>

namespace degu::sync_internal {

/// Immutable. Every context of the process is one: the runtime only carries them. Null parent: the
/// background.
class ContextNode : public rt::ContextBase {
 public:
  ContextNode(Ref<ContextNode> parent, Ref<rt::CancelNode> node) noexcept
      : rt::ContextBase(std::move(node)), parent_(std::move(parent)) {}

  ContextNode* parent() const noexcept { return parent_.get(); }
  /// The value that this link holds for `key`, or null.
  virtual const void* value_here(const void* key) const noexcept {
    static_cast<void>(key);
    return nullptr;
  }

  static ContextNode* current() noexcept { return static_cast<ContextNode*>(rt::current_context()); }

 private:
  Ref<ContextNode> parent_;
};

/// A link that lies behind its own cancel node, in the same piece of memory.
class CancellableNode final : public ContextNode {
 public:
  using ContextNode::ContextNode;
  ~CancellableNode() override { leave_node(); }
  static void* operator new(std::size_t, void* room) noexcept { return room; }
  static void operator delete(void* room) noexcept { rt::CancelNode::of_room(room)->unref(); }
};

/// A child of `parent` (null: the background) that can be ended by itself.
inline Ref<ContextNode> make_cancellable(ContextNode* parent, TimePoint deadline = kNever) {
  static_assert(sizeof(rt::CancelNode) % alignof(CancellableNode) == 0);
  Ref<rt::CancelNode> node =
      rt::CancelNode::make(parent == nullptr ? nullptr : parent->node(), deadline, sizeof(CancellableNode));
  void* const room = node->room();
  auto* link = new (room) CancellableNode(Ref<ContextNode>(parent), std::move(node));
  link->ref_unshared();
  return Ref<ContextNode>::adopt(link);
}

}  // namespace degu::sync_internal
