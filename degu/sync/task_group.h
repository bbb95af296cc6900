// TaskGroup: goroutines that belong together, end together and report their first failure. Go's errgroup,
// with a scope.
#pragma once

#include <degu/base/ref.h>
#include <degu/rt/owner.h>
#include <degu/rt/run.h>
#include <degu/sync/internal/context_node.h>
#include <degu/sync/semaphore.h>
#include <degu/sync/wait_group.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace degu {

/// The tasks run with a context of the group's own, a child of the context that was current when the group
/// was made. The first exception that leaves a task cancels it, so that the others end soon; wait() rethrows
/// that exception. No task outlives the group: declare it after what its tasks use. Thread-safe; tasks may
/// start tasks. Used once: when wait() has returned, the context is cancelled.
///
///   degu::TaskGroup group;
///   group.go([&] { user = users.get(id); });
///   group.go([&] { orders = order_service.list(id); });
///   group.wait();
class TaskGroup {
 public:
  TaskGroup();
  /// Cancels the tasks and waits for their end, whatever the current context says. Their exceptions are
  /// dropped.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// At most `limit` tasks at once from now on; go() waits for a place. Negative: no limit. Throws
  /// Error(kFailedPrecondition) while tasks run.
  void set_limit(int limit);

  /// Starts a task. With a limit it waits for a place; the end of the current context ends that wait with
  /// Cancelled or DeadlineExceeded.
  template <class F>
  void go(F&& task) {
    if (places_) places_->acquire();
    start(std::forward<F>(task));
  }
  /// As go(), but never waits. False: no place free; `task` is untouched.
  template <class F>
  [[nodiscard]] bool try_go(F&& task) {
    if (places_ && !places_->try_acquire()) return false;
    start(std::forward<F>(task));
    return true;
  }

  /// Waits until all tasks have ended, then rethrows the first exception of a task, if there was one. It does
  /// not end before they do; when the current context ends the tasks see that, as theirs is a child of it.
  void wait();

  /// Ends the group's context. Cancelled exceptions of tasks are not failures from now on.
  void cancel() noexcept;

  /// The group's context, for select's done() and for degu::Context(group).
  rt::CancelNode* node() const noexcept { return context_->node(); }
  const Ref<sync_internal::ContextNode>& context_node() const noexcept { return context_; }

 private:
  template <class F>
  void start(F&& task) {
    running_.add(1);
    try {
      degu::go([this, body = std::optional<std::decay_t<F>>(std::forward<F>(task))]() mutable {
        rt::exchange_context(context_);
        rt::set_joins(&running_);
        try {
          (*body)();
        } catch (...) {
          fail(std::current_exception());
        }
        body.reset();  // what the task captured may not outlive the group
        finish();
      });
    } catch (...) {
      finish();
      throw;
    }
  }
  void fail(std::exception_ptr error) noexcept;
  void finish() noexcept;
  void wait_for_all() noexcept;

  Ref<sync_internal::ContextNode> context_;
  std::optional<Semaphore> places_;
  rt::Lock lock_;             // guards the next two
  std::exception_ptr error_;  // the first
  bool cancelled_ = false;    // by cancel()
  WaitGroup running_;
};

}  // namespace degu
