// A request is queued, then taken, then done; the writer's lock orders these changes with the caller's
// cancellation: a cancelled caller takes the lock and finds its request
//   queued: it unlinks it and throws, nothing has happened;
//   taken:  it arms a second wait that ignores the context, because the closure refers to its stack;
//   done:   the writer's claim lost against the cancellation; the outcome is there.
// The writer touches no request after marking it done, since the caller may be gone as soon as the lock is
// free.
//
// Rejected: letting the first caller commit for the others (as LevelDB does). It saves a switch when there is
// one caller, but under load one caller's latency grows with everybody's closures and its deadline means
// nothing.
#include <degu/context/cancel_scope.h>
#include <degu/rt/cancel.h>
#include <degu/rt/run.h>
#include <degu/store/internal/writer.h>

#include <mutex>
#include <utility>

namespace degu::store::internal {
namespace {

constexpr uint16_t kDoneTag = 0;

}  // namespace

Writer::Writer(std::unique_ptr<Connection> connection, Limits limits)
    : limits_(limits), connection_(std::move(connection)), ended_(make_chan<bool>(0)) {}

void Writer::start() {
  go([this, ended = ended_]() mutable {
    rt::exchange_context({});  // the opener's deadline is not the writer's
    goroutine_.store(rt::current(), std::memory_order_relaxed);
    loop();
    blocking([this] { connection_.reset(); });
    ended.close();  // the closer goes on and destroys *this
  });
}

void Writer::submit(WriteRequest& request) {
  if (goroutine_.load(std::memory_order_relaxed) == rt::current()) {
    throw Error(Code::kInternal, "write() called from inside a write() of the same database");
  }
  if (rt::interrupted()) rt::throw_interrupted();
  enqueue(request);
  await(request);
  if (request.error) std::rethrow_exception(request.error);
}

void Writer::enqueue(WriteRequest& request) {
  rt::G* wake = nullptr;
  {
    std::lock_guard guard(lock_);
    if (closing_) throw Error(Code::kUnavailable, "the database is closed");
    if (queued_ >= limits_.queued) {
      throw Error(Code::kResourceExhausted, "too many writes wait for the database; try again later");
    }
    request.ticket = rt::begin_wait(rt::Interrupt::kObserve);
    request.prev = tail_;
    (tail_ == nullptr ? head_ : tail_->next) = &request;
    tail_ = &request;
    ++queued_;
    if (idle_ && rt::claim(idle_ticket_, kDoneTag)) {
      idle_ = false;
      wake = idle_ticket_.g;
    }
  }
  if (wake != nullptr) rt::wake(wake);
}

void Writer::await(WriteRequest& request) {
  if (rt::park(rt::WaitReason::kPool, this) == kDoneTag) return;
  {
    std::lock_guard guard(lock_);
    if (request.state == WriteRequest::State::kDone) return;
    if (request.state == WriteRequest::State::kTaken) {
      request.ticket = rt::begin_wait(rt::Interrupt::kIgnore);
    } else {
      unlink(request);
    }
  }
  if (request.state == WriteRequest::State::kQueued) rt::throw_interrupted();
  rt::park(rt::WaitReason::kPool, this);
}

void Writer::unlink(WriteRequest& request) noexcept {
  (request.prev == nullptr ? head_ : request.prev->next) = request.next;
  (request.next == nullptr ? tail_ : request.next->prev) = request.prev;
  --queued_;
}

void Writer::loop() {
  Group group;
  group.reserve(limits_.group);
  while (next_group(group)) {
    blocking([&] { run_group(group); });
    finish(group);
  }
}

// Waits for requests and takes them; false when closed and drained.
bool Writer::next_group(Group& group) {
  group.clear();
  for (;;) {
    {
      std::lock_guard guard(lock_);
      while (head_ != nullptr && group.size() < limits_.group) {
        head_->state = WriteRequest::State::kTaken;
        group.push_back(head_);
        unlink(*head_);
      }
      if (!group.empty()) return true;
      if (closing_) return false;
      idle_ticket_ = rt::begin_wait(rt::Interrupt::kIgnore);
      idle_ = true;
    }
    rt::park(rt::WaitReason::kPool, this);
  }
}

void Writer::finish(const Group& group) {
  std::vector<rt::G*> winners;
  winners.reserve(group.size());
  {
    std::lock_guard guard(lock_);
    for (WriteRequest* request : group) {
      request->state = WriteRequest::State::kDone;
      if (rt::claim(request->ticket, kDoneTag)) winners.push_back(request->ticket.g);
    }
  }
  for (rt::G* winner : winners) rt::wake(winner);
}

void Writer::exec(std::string_view sql) { connection_->prepare(sql).run(); }

void Writer::run_group(const Group& group) noexcept {
  for (size_t first = 0; first < group.size();) first = run_transaction(group, first);
  for (const WriteRequest* request : group) {
    (request->error ? counters_.failed : counters_.writes).fetch_add(1, std::memory_order_relaxed);
  }
}

// Runs requests from `first` on in one SQLite transaction; returns the first request that was not run. That
// is before the end only when an error made SQLite roll the whole transaction back (disk full, I/O error).
size_t Writer::run_transaction(const Group& group, size_t first) {
  size_t next = first;
  try {
    exec("BEGIN IMMEDIATE");
    const bool savepoints = group.size() - first > 1;
    int64_t succeeded = 0;
    while (next < group.size()) {
      WriteRequest& request = *group[next++];
      const bool kept = run_one(request, savepoints);
      if (!connection_->in_transaction()) {
        if (!request.error) {
          request.error =
              std::make_exception_ptr(Error(Code::kInternal, "a write() ended its transaction itself"));
        }
        fail_all(group, first, next - 1, request.error);
        return next;
      }
      if (kept) ++succeeded;
    }
    exec(succeeded > 0 ? "COMMIT" : "ROLLBACK");
    if (succeeded > 0) {
      counters_.commits.fetch_add(1, std::memory_order_relaxed);
      if (succeeded > counters_.largest_group.load(std::memory_order_relaxed)) {
        counters_.largest_group.store(succeeded, std::memory_order_relaxed);
      }
    }
  } catch (...) {
    // BEGIN or COMMIT failed: nobody's changes are kept.
    fail_all(group, first, group.size(), std::current_exception());
    next = group.size();
    try {
      if (connection_->in_transaction()) exec("ROLLBACK");
    } catch (...) {  // the next BEGIN reports what is wrong with the connection
    }
  }
  return next;
}

// True when the request's changes are part of the transaction.
bool Writer::run_one(WriteRequest& request, bool savepoint) {
  if (savepoint) exec("SAVEPOINT request");
  try {
    Transaction tx(*connection_);
    request.call(request.self, tx);
    if (savepoint && connection_->in_transaction()) exec("RELEASE request");
    return true;
  } catch (...) {
    request.error = std::current_exception();
  }
  if (!connection_->in_transaction()) return false;
  if (savepoint) {
    exec("ROLLBACK TO request");
    exec("RELEASE request");
  }
  return false;
}

void Writer::fail_all(const Group& group, size_t first, size_t last, const std::exception_ptr& error) {
  for (size_t i = first; i < last; ++i) {
    if (!group[i]->error) group[i]->error = error;
  }
}

void Writer::close() {
  rt::G* wake = nullptr;
  {
    std::lock_guard guard(lock_);
    closing_ = true;
    if (idle_ && rt::claim(idle_ticket_, kDoneTag)) {
      idle_ = false;
      wake = idle_ticket_.g;
    }
  }
  if (wake != nullptr) rt::wake(wake);
  const Shield shield;
  ended_.recv();
}

}  // namespace degu::store::internal
