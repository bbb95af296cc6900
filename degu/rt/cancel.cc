// The tree of cancel nodes. A node is linked to its parent and its deadline timer runs only from the moment
// somebody waits on it (arm); until then cancelled() looks upwards. Ending a node ends its children after its
// own lock was released, so no two node locks nest.
#include <degu/rt/cancel.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/race_point.h>

#include <mutex>
#include <utility>

namespace degu::rt {

#ifndef NDEBUG
namespace {
std::atomic<std::size_t> alive{0};
}
std::size_t cancel_nodes_alive() noexcept { return alive.load(std::memory_order_relaxed); }
#else
std::size_t cancel_nodes_alive() noexcept { return 0; }
#endif

namespace {

// A look at the clock costs more than all else in here. Far from the deadline one of the last second will do, which
// sysmon has taken unless it was kept from running itself.
bool is_past(TimePoint deadline) noexcept {
  constexpr std::chrono::seconds kFar{1};
  const M* m = this_m();
  if (m != nullptr && base_internal::clock_hook.load(std::memory_order_relaxed) == nullptr) {
    const std::chrono::nanoseconds seen(m->sched->coarse_ns.load(std::memory_order_relaxed));
    if (deadline > TimePoint(seen) + kFar) return false;
  }
  return now() >= deadline;
}

}  // namespace

CancelNode::CancelNode(CancelNode* parent, TimePoint deadline) noexcept
    : parent_(parent),
      deadline_(parent != nullptr && parent->deadline_ < deadline ? parent->deadline_ : deadline) {
#ifndef NDEBUG
  alive.fetch_add(1, std::memory_order_relaxed);
#endif
}

CancelNode::~CancelNode() {
  if (parent_ && armed_.load(std::memory_order_relaxed)) parent_->remove_child(this);
#ifndef NDEBUG
  alive.fetch_sub(1, std::memory_order_relaxed);
#endif
}

Ref<CancelNode> CancelNode::make(CancelNode* parent, TimePoint deadline, std::size_t room) {
  return Ref<CancelNode>::adopt(new (Room{room}) CancelNode(parent, deadline));
}

// A count that is the only one needs no exchange, unless a parent that knows the node could try_ref() it.
void CancelNode::unref() const noexcept {
  if ((count_.load(std::memory_order_acquire) == 1 && !armed_.load(std::memory_order_relaxed)) ||
      count_.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete this;
}

bool CancelNode::try_ref() const noexcept {
  uint32_t count = count_.load(std::memory_order_relaxed);
  while (count != 0) {
    if (count_.compare_exchange_weak(count, count + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

bool CancelNode::cancel(Code code, std::shared_ptr<const Error> cause) noexcept {
  if (lapsed_unseen()) return false;
  return end(code, std::move(cause));
}

// An earlier end that nobody has told this node of, as nobody waits here: that of an ancestor, or its own deadline.
bool CancelNode::lapsed_unseen() noexcept {
  if (armed_.load(std::memory_order_acquire)) return false;
  if (deadline_ != kNever && is_past(deadline_)) return cancelled();
  // No ancestor's deadline is earlier, so none has passed: their flags are enough.
  for (const CancelNode* node = parent_.get(); node != nullptr; node = node->parent_.get()) {
    if (node->ended()) return cancelled();
    if (node->armed_.load(std::memory_order_acquire)) break;  // told by those above it
  }
  return false;
}

bool CancelNode::end(Code code, std::shared_ptr<const Error> cause) noexcept {
  lock_.lock();
  if (code_.load(std::memory_order_relaxed) != Code::kOk) {
    lock_.unlock();
    return false;
  }
  if (cause != nullptr || code != Code::kDeadlineExceeded) cause_ = std::move(cause);
  code_.store(code,
              std::memory_order_seq_cst);  // pairs with begin_wait(): arm the wait, then look at the code
  DEGU_RACE_POINT();
  while (CancelWaiter* waiter = waiters_) {
    waiters_ = waiter->next;
    if (waiters_ != nullptr) waiters_->prev = &waiters_;
    waiter->prev = nullptr;
    waiter->on_cancel(waiter);
  }
  lock_.unlock();
  if (armed_.load(std::memory_order_acquire)) {
    cancel_children();
    if (parent_) parent_->remove_child(this);
    if (timer_stop(timer_)) unref();  // the count that the armed timer held; the caller holds another
  }
  return true;
}

void CancelNode::cancel_children() noexcept {
  while (true) {
    lock_.lock();
    CancelNode* child = children_;
    bool reached = false;
    if (child != nullptr) {
      children_ = child->child_next_;
      if (children_ != nullptr) children_->child_prev_ = &children_;
      child->child_prev_ = nullptr;
      reached = child->try_ref();  // it may be on its way out, waiting for this lock in remove_child()
    }
    lock_.unlock();
    if (child == nullptr) return;
    if (!reached) continue;
    child->end(code_.load(std::memory_order_relaxed), cause_);
    child->unref();
  }
}

bool CancelNode::cancelled() noexcept {
  if (ended()) return true;
  // A deadline that is the parent's has the parent's cause.
  const bool shared = parent_ && parent_->deadline_ == deadline_;
  if (deadline_ != kNever && !shared && is_past(deadline_)) {
    end(Code::kDeadlineExceeded, nullptr);
    return true;
  }
  const bool told = armed_.load(std::memory_order_acquire) && (!shared || deadline_ == kNever);
  if (parent_ && !told && parent_->cancelled()) {
    end(parent_->code_.load(std::memory_order_relaxed), parent_->cause());
    return true;
  }
  return false;
}

Code CancelNode::code() noexcept {
  cancelled();
  return code_.load(std::memory_order_acquire);
}

std::shared_ptr<const Error> CancelNode::cause() noexcept {
  cancelled();
  lock_.lock();
  std::shared_ptr<const Error> cause = code_.load(std::memory_order_relaxed) == Code::kOk ? nullptr : cause_;
  lock_.unlock();
  return cause;
}

// If the parent's deadline is earlier that one's cause counts.
void CancelNode::set_deadline_cause(std::shared_ptr<const Error> cause) noexcept {
  if (parent_ && parent_->deadline_ <= deadline_) return;
  const std::lock_guard guard(lock_);
  if (code_.load(std::memory_order_relaxed) == Code::kOk) cause_ = std::move(cause);
}

std::size_t CancelNode::links_for_test() noexcept {
  const std::lock_guard guard(lock_);
  std::size_t count = 0;
  for (const CancelNode* child = children_; child != nullptr; child = child->child_next_) ++count;
  for (const CancelWaiter* waiter = waiters_; waiter != nullptr; waiter = waiter->next) ++count;
  return count;
}

void CancelNode::arm() noexcept {
  if (armed_.load(std::memory_order_acquire) || armed_.exchange(true, std::memory_order_acq_rel)) return;
  if (parent_) parent_->add_child(this);
  if (deadline_ == kNever || (parent_ && parent_->deadline_ == deadline_))
    return;  // the parent's timer serves both
  ref();     // held by the armed timer
  static constexpr TimerCalls kDeadline{&on_deadline,
                                        [](void* node) { static_cast<CancelNode*>(node)->unref(); }};
  if (!timer_start(timer_, deadline_, kDeadline, this, 0)) return unref();
  // A cancel() before the start, add_child()'s included, found no timer to stop; one after this look at code_ does.
  lock_.lock();
  const bool late = code_.load(std::memory_order_relaxed) != Code::kOk;
  lock_.unlock();
  if (late && timer_stop(timer_)) unref();  // the caller holds another count
}

void CancelNode::on_deadline(void* node, uint32_t) noexcept {
  auto* self = static_cast<CancelNode*>(node);
  self->end(Code::kDeadlineExceeded, nullptr);
  self->unref();
}

void CancelNode::add_child(CancelNode* child) noexcept {
  arm();
  lock_.lock();
  const Code code = code_.load(std::memory_order_relaxed);
  if (code == Code::kOk) {
    child->child_next_ = children_;
    child->child_prev_ = &children_;
    if (children_ != nullptr) children_->child_prev_ = &child->child_next_;
    children_ = child;
  }
  std::shared_ptr<const Error> cause = code == Code::kOk ? nullptr : cause_;
  lock_.unlock();
  if (code != Code::kOk) child->end(code, std::move(cause));
}

void CancelNode::remove_child(CancelNode* child) noexcept {
  lock_.lock();
  if (child->child_prev_ != nullptr) {
    *child->child_prev_ = child->child_next_;
    if (child->child_next_ != nullptr) child->child_next_->child_prev_ = child->child_prev_;
    child->child_prev_ = nullptr;
  }
  lock_.unlock();
}

bool CancelNode::add(CancelWaiter* waiter) noexcept {
  arm();
  lock_.lock();
  if (code_.load(std::memory_order_relaxed) != Code::kOk) {
    waiter->prev = nullptr;
    waiter->on_cancel(waiter);
    lock_.unlock();
    return false;
  }
  waiter->next = waiters_;
  waiter->prev = &waiters_;
  if (waiters_ != nullptr) waiters_->prev = &waiter->next;
  waiters_ = waiter;
  lock_.unlock();
  return true;
}

bool CancelNode::remove(CancelWaiter* waiter) noexcept {
  lock_.lock();
  const bool linked = waiter->prev != nullptr;
  if (linked) {
    *waiter->prev = waiter->next;
    if (waiter->next != nullptr) waiter->next->prev = waiter->prev;
    waiter->prev = nullptr;
  }
  lock_.unlock();
  return linked;
}

}  // namespace degu::rt
