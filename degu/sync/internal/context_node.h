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

/// A child of `parent` (null: the background) that can be ended by itself.
inline Ref<ContextNode> make_cancellable(ContextNode* parent, TimePoint deadline = kNever) {
  return make_ref<ContextNode>(Ref<ContextNode>(parent),
                               rt::CancelNode::make(parent == nullptr ? nullptr : parent->node(), deadline));
}

}  // namespace degu::sync_internal
