#include <degu/base/error.h>
#include <degu/sync/task_group.h>

#include <memory>

namespace degu {
namespace {

// What the other tasks are told: the failure itself if it is an Error, else its text.
std::shared_ptr<const Error> cause_of(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return std::make_shared<const Error>(e);
  } catch (const std::exception& e) {
    return std::make_shared<const Error>(Code::kUnknown, e.what());
  } catch (...) {
    return nullptr;
  }
}

bool is_cancelled(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const Cancelled&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

TaskGroup::TaskGroup() : context_(sync_internal::make_cancellable(sync_internal::ContextNode::current())) {}

TaskGroup::~TaskGroup() {
  cancel();
  wait_for_all();
}

void TaskGroup::set_limit(int limit) {
  if (!running_.idle()) throw Error(Code::kFailedPrecondition, "TaskGroup::set_limit while tasks run");
  places_.reset();
  if (limit >= 0) places_.emplace(limit);
}

void TaskGroup::fail(std::exception_ptr error) noexcept {
  {
    const sync_internal::LockGuard guard(lock_);
    if (error_ || (cancelled_ && is_cancelled(error))) return;
    error_ = error;
  }
  node()->cancel(Code::kCancelled, cause_of(error));
}

void TaskGroup::finish() noexcept {
  if (places_) places_->release();
  running_.done();
}

void TaskGroup::wait_for_all() noexcept {
  rt::shield(+1);
  running_.wait();
  rt::shield(-1);
}

void TaskGroup::wait() {
  wait_for_all();
  node()->cancel(Code::kCancelled);
  if (error_) std::rethrow_exception(error_);
}

void TaskGroup::cancel() noexcept {
  {
    const sync_internal::LockGuard guard(lock_);
    cancelled_ = true;
  }
  node()->cancel(Code::kCancelled);
}

}  // namespace degu
