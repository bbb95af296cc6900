// The tree of cancel nodes. A node is linked to its parent and its deadline timer runs only from the moment
// somebody waits on it (arm); until then cancelled() looks upwards. Ending a node ends its children after its
// own lock was released, so no two node locks nest.
#include <degu/rt/cancel.h>
#include <degu/rt/race_point.h>

#include <utility>

namespace degu::rt {

CancelNode::CancelNode(CancelNode* parent, TimePoint deadline) noexcept
    : parent_(parent),
      deadline_(parent != nullptr && parent->deadline_ < deadline ? parent->deadline_ : deadline) {}

CancelNode::~CancelNode() {
  if (parent_ && armed_.load(std::memory_order_relaxed)) parent_->remove_child(this);
}

Ref<CancelNode> CancelNode::make(CancelNode* parent, TimePoint deadline) {
  return Ref<CancelNode>(new CancelNode(parent, deadline));
}

void CancelNode::unref() const noexcept {
  if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

bool CancelNode::try_ref() const noexcept {
  uint32_t count = count_.load(std::memory_order_relaxed);
  while (count != 0) {
    if (count_.compare_exchange_weak(count, count + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

bool CancelNode::cancel(Code code, std::shared_ptr<const Error> cause) noexcept {
  lock_.lock();
  if (code_.load(std::memory_order_relaxed) != Code::kOk) {
    lock_.unlock();
    return false;
  }
  cause_ = std::move(cause);
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
    bool alive = false;
    if (child != nullptr) {
      children_ = child->child_next_;
      if (children_ != nullptr) children_->child_prev_ = &children_;
      child->child_prev_ = nullptr;
      alive = child->try_ref();  // it may be on its way out, waiting for this lock in remove_child()
    }
    lock_.unlock();
    if (child == nullptr) return;
    if (!alive) continue;
    child->cancel(code_.load(std::memory_order_relaxed), cause_);
    child->unref();
  }
}

bool CancelNode::cancelled() noexcept {
  if (ended()) return true;
  if (deadline_ != kNever && now() >= deadline_) {
    cancel(Code::kDeadlineExceeded);
    return true;
  }
  if (parent_ && !armed_.load(std::memory_order_acquire) && parent_->cancelled()) {
    cancel(parent_->code_.load(std::memory_order_relaxed), parent_->cause());
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
  std::shared_ptr<const Error> cause = cause_;
  lock_.unlock();
  return cause;
}

void CancelNode::arm() noexcept {
  if (armed_.load(std::memory_order_acquire) || armed_.exchange(true, std::memory_order_acq_rel)) return;
  if (parent_) parent_->add_child(this);
  if (deadline_ == kNever || (parent_ && parent_->deadline_ == deadline_))
    return;  // the parent's timer serves both
  ref();     // held by the armed timer
  if (!timer_start(timer_, deadline_, std::chrono::nanoseconds(0), &on_deadline, this, 0)) unref();
}

void CancelNode::on_deadline(void* node, uint32_t) noexcept {
  auto* self = static_cast<CancelNode*>(node);
  self->cancel(Code::kDeadlineExceeded);
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
  if (code != Code::kOk) child->cancel(code, std::move(cause));
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
