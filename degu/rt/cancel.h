// CancelNode: the part of a context that ends: a flag, a deadline, and who is to be told. Contexts are built
// on it.
#pragma once

#include <degu/base/error.h>
#include <degu/base/ref.h>
#include <degu/base/time.h>
#include <degu/rt/lock.h>
#include <degu/rt/timer.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>

namespace degu::rt {

/// Someone to tell when a node ends. `on_cancel` is called once, under the node's lock: it must not block nor
/// call back into the node; it may claim, wake and spawn. Lives until it was called or remove() returned.
struct CancelWaiter {
  void (*on_cancel)(CancelWaiter* self) = nullptr;
  CancelWaiter* next = nullptr;
  CancelWaiter** prev = nullptr;  // null: not in a list
};

/// A node of the tree of contexts. Ends once, by cancel(), by its parent's end or by its deadline.
/// Thread-safe. Nothing is linked to the parent and no timer runs until someone waits, so a scope that never
/// blocks costs one allocation.
class CancelNode {
 public:
  /// The deadline is the earlier of `deadline` and the parent's. `parent` may be null. `room` bytes behind the node
  /// are its owner's, who saves an allocation: they exist as long as the node.
  static Ref<CancelNode> make(CancelNode* parent, TimePoint deadline = kNever, std::size_t room = 0);
  void* room() noexcept { return this + 1; }
  static CancelNode* of_room(void* room) noexcept { return static_cast<CancelNode*>(room) - 1; }

  /// Ends the node and all below it; false if it had ended. The first cause sticks; null gives the code's own
  /// error.
  bool cancel(Code code, std::shared_ptr<const Error> cause = nullptr) noexcept;

  /// Has it ended? Looks at the ancestors and the clock while nobody waits on this node.
  bool cancelled() noexcept;

  /// As cancelled(), but only the flag: neither ancestors nor the clock.
  bool ended() const noexcept { return code_.load(std::memory_order_seq_cst) != Code::kOk; }

  /// kOk while not ended, then kCancelled or kDeadlineExceeded.
  Code code() noexcept;
  /// The cause given to the cancel() that ended it here or above; null if none was given.
  std::shared_ptr<const Error> cause() noexcept;
  TimePoint deadline() const noexcept { return deadline_; }

  /// Before anybody else knows the node: its cause, should its own deadline end it.
  void set_deadline_cause(std::shared_ptr<const Error> cause) noexcept;

  /// Children and waiters that are linked here now.
  std::size_t links_for_test() noexcept;

  /// Registers. False: the node has ended, and on_cancel was called before this returned.
  bool add(CancelWaiter* waiter) noexcept;
  /// Unregisters. True: on_cancel was not and will not be called. False: it has been called, and has
  /// returned.
  bool remove(CancelWaiter* waiter) noexcept;

  void ref() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
  void unref() const noexcept;

  static void operator delete(void* node) noexcept { ::operator delete(node); }

 private:
  struct Room {
    std::size_t bytes;
  };
  static void* operator new(std::size_t size, Room room) { return ::operator new(size + room.bytes); }
  CancelNode(CancelNode* parent, TimePoint deadline) noexcept;
  ~CancelNode();

  bool try_ref() const noexcept;
  bool lapsed_unseen() noexcept;
  bool end(Code code, std::shared_ptr<const Error> cause) noexcept;
  void arm() noexcept;
  void add_child(CancelNode* child) noexcept;
  void remove_child(CancelNode* child) noexcept;
  void cancel_children() noexcept;
  static void on_deadline(void* node, uint32_t seq) noexcept;

  mutable std::atomic<uint32_t> count_{1};
  std::atomic<Code> code_{Code::kOk};  // seq_cst against the wait words: see begin_wait()
  std::atomic<bool> armed_{false};
  Lock lock_;  // guards the lists and cause_; a child is ended after its parent's lock was released
  CancelWaiter* waiters_ = nullptr;
  CancelNode* children_ = nullptr;
  CancelNode* child_next_ = nullptr;   // guarded by parent_->lock_
  CancelNode** child_prev_ = nullptr;  // guarded by parent_->lock_; null: not in the list
  Ref<CancelNode> parent_;
  TimePoint deadline_;
  std::shared_ptr<const Error> cause_;  // before the end: that of the deadline
  Timer timer_;
};

/// How many nodes exist; counted in debug builds, else 0. For tests that look for leaks.
std::size_t cancel_nodes_alive() noexcept;

/// What a goroutine carries as its current context; degu::Context derives its node from it. Null node: never
/// ends.
class ContextBase : public RefCounted<ContextBase> {
 public:
  explicit ContextBase(Ref<CancelNode> node) noexcept : node_(static_cast<Ref<CancelNode>&&>(node)) {}
  virtual ~ContextBase() = default;
  CancelNode* node() const noexcept { return node_.get(); }

 protected:
  /// Keeps the count of the node for whoever calls: one that lies in the node's room gives it back when it is gone.
  void leave_node() noexcept { static_cast<void>(node_.release()); }

 private:
  Ref<CancelNode> node_;
};

/// The calling goroutine's context; null is the background. Borrowed: valid until it is exchanged.
ContextBase* current_context() noexcept;
/// Replaces it and returns the former one. Goroutines started later inherit the new one.
Ref<ContextBase> exchange_context(Ref<ContextBase> context) noexcept;

}  // namespace degu::rt
