// The park handshake. A goroutine's wait word carries a sequence number, the winner's tag and four flags:
//
//   waiter: begin_wait: {seq, 0}            waker: claim: CAS {seq, !claimed} -> {seq, tag, claimed}
//           ... publish the ticket ...              ... publish the result ...
//           switch to the scheduler's stack         wake: old = fetch_or(done)
//           old = fetch_or(parked)                        if (old & parked) make it runnable
//           if (old & done) go on at once
//
// Each of the two last fetch_or comes before the other in the word's modification order, so exactly one side
// resumes the goroutine, and never before it has left its stack. Rejected: Go's unlock-after-the-switch
// (holds channel locks across a switch and cannot express wakers that do not hold that lock, such as
// deadlines and contexts); a lock in G (one more atomic on each side).
#include <degu/base/assert.h>
#include <degu/base/error.h>
#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/park.h>
#include <degu/rt/race_point.h>

#include <cstddef>
#include <utility>

namespace degu::rt {
namespace {

constexpr uint64_t seq_of(uint64_t word) noexcept { return word >> kWaitSeqShift; }
constexpr uint16_t tag_of(uint64_t word) noexcept { return static_cast<uint16_t>(word >> kWaitTagShift); }

// Ends the wait of a goroutine whose context has ended, if that wait observes it.
void on_context_end(CancelWaiter* waiter) {
  auto* g = reinterpret_cast<G*>(reinterpret_cast<char*>(waiter) - offsetof(G, cancel_waiter));
  uint64_t word = g->wait_word.load(std::memory_order_seq_cst);  // pairs with the store in begin_wait
  while ((word & kWaitInterruptible) != 0 && (word & kWaitClaimed) == 0) {
    const uint64_t claimed = word | kWaitClaimed | (static_cast<uint64_t>(kTagCancelled) << kWaitTagShift);
    if (g->wait_word.compare_exchange_weak(word, claimed, std::memory_order_seq_cst)) {
      wake(g);
      return;
    }
  }
}

// Moves the goroutine's registration to the node of its current context.
void register_with(G& g, CancelNode& node) noexcept {
  if (g.registered == &node) return;
  if (g.registered != nullptr) {
    g.registered->remove(&g.cancel_waiter);
    g.registered->unref();
  }
  node.ref();
  g.registered = &node;
  g.cancel_waiter.on_cancel = &on_context_end;
  node.add(&g.cancel_waiter);
}

bool unwinding() noexcept {
  const M* m = this_m();
  return m != nullptr ? m->eh->uncaught_exceptions != 0 : std::uncaught_exceptions() != 0;
}

CancelNode* observed_node(const G& g) noexcept {
  if (g.context == nullptr) [[likely]]
    return nullptr;
  if (g.shield_depth != 0 || unwinding()) return nullptr;
  return g.context->node();
}

void claim_own(G& g, uint16_t tag) noexcept {
  if (claim({&g, static_cast<uint32_t>(seq_of(g.wait_word.load(std::memory_order_relaxed)))}, tag)) wake(&g);
}

void on_park_deadline(void* arg, uint32_t seq) {
  auto* g = static_cast<G*>(arg);
  if (claim({g, seq}, kTagTimeout)) wake(g);
}

constexpr TimerCalls kParkDeadline{&on_park_deadline};

template <class E>
E with_cause(E error, const Error& cause) {
  static_cast<void>(static_cast<Error&&>(error).with_cause(std::make_exception_ptr(cause)));
  return error;
}

// A foreign thread sleeps on its futex; deadlines need no timer.
uint16_t park_thread(G& g, TimePoint deadline) noexcept {
  DEGU_CHECK(
      this_m() == nullptr,
      "a wait ({}) on a scheduler's own stack: timer functions and cancel callbacks must not wait; start a "
      "goroutine that does",
      to_string(g.reason.load(std::memory_order_relaxed)));
  CancelNode* node = observed_node(g);
  TimePoint until = node != nullptr && node->deadline() < deadline ? node->deadline() : deadline;
  g.thread_signal.store(0, std::memory_order_relaxed);
  if ((g.wait_word.fetch_or(kWaitParked, std::memory_order_acq_rel) & kWaitDone) == 0) {
    // Until the signal, not until `done`: the waker still uses the record in between.
    while (g.thread_signal.load(std::memory_order_acquire) == 0) {
      if (futex_wait(g.thread_signal, 0, until)) continue;
      if (node != nullptr) node->cancelled();  // notices that its time has come, and claims
      if (now() >= deadline) claim_own(g, kTagTimeout);
      until = kNever;  // somebody has claimed and is about to signal
    }
  }
  return tag_of(g.wait_word.load(std::memory_order_acquire));
}

void park_until(M& m, G& g, TimePoint deadline, uint32_t seq) noexcept {
  Timer timer;
  const bool timed = timer_start(timer, deadline, kParkDeadline, &g, seq);
  g.has_deadline.store(true, std::memory_order_relaxed);
  g.status.store(Status::kWaiting, std::memory_order_relaxed);
  leave(m, g, AfterSwitch::kPark);
  g.has_deadline.store(false, std::memory_order_relaxed);
  if (timed) timer_stop(timer);
}

}  // namespace

std::string_view to_string(WaitReason reason) noexcept {
  switch (reason) {
    case WaitReason::kNone:
      return "";
    case WaitReason::kSleep:
      return "sleep";
    case WaitReason::kChanSend:
      return "chan send";
    case WaitReason::kChanRecv:
      return "chan receive";
    case WaitReason::kSelect:
      return "select";
    case WaitReason::kMutex:
      return "mutex";
    case WaitReason::kRWMutex:
      return "rwmutex";
    case WaitReason::kRWMutexRead:
      return "rwmutex (read)";
    case WaitReason::kCond:
      return "condition";
    case WaitReason::kSemaphore:
      return "semaphore";
    case WaitReason::kWaitGroup:
      return "wait group";
    case WaitReason::kTaskGroup:
      return "task group";
    case WaitReason::kOnce:
      return "once";
    case WaitReason::kSingleFlight:
      return "single flight";
    case WaitReason::kPool:
      return "pool";
    case WaitReason::kIoRead:
      return "IO wait (read)";
    case WaitReason::kIoWrite:
      return "IO wait (write)";
    case WaitReason::kSignal:
      return "signal";
    case WaitReason::kBlocking:
      return "blocking call";
    case WaitReason::kContext:
      return "context";
    case WaitReason::kOther:
      return "other";
  }
  return "";
}

Ticket begin_wait(Interrupt interrupt) noexcept {
  G& g = *current();
  const uint64_t seq = (seq_of(g.wait_word.load(std::memory_order_relaxed)) + 1) & kWaitSeqMask;
  const uint64_t word = seq << kWaitSeqShift;
  CancelNode* node = interrupt == Interrupt::kObserve ? observed_node(g) : nullptr;
  if (node == nullptr) {
    g.wait_word.store(word, std::memory_order_release);
  } else {
    // seq_cst here and in on_context_end/CancelNode::cancel: either the canceller sees this wait or we see
    // the end.
    // Registered before it is armed: the end of a former context must not reach this wait.
    register_with(g, *node);
    DEGU_RACE_POINT();
    g.wait_word.store(word | kWaitInterruptible, std::memory_order_seq_cst);
    DEGU_RACE_POINT();
    if (node->ended()) claim_own(g, kTagCancelled);
  }
  return {&g, static_cast<uint32_t>(seq)};
}

bool claim(Ticket ticket, uint16_t tag) noexcept {
  uint64_t word = ticket.g->wait_word.load(std::memory_order_acquire);
  while (true) {
    if (seq_of(word) != ticket.seq || (word & kWaitClaimed) != 0) return false;
    DEGU_RACE_POINT();
    const uint64_t claimed = word | kWaitClaimed | (static_cast<uint64_t>(tag) << kWaitTagShift);
    if (ticket.g->wait_word.compare_exchange_weak(word, claimed, std::memory_order_acq_rel,
                                                  std::memory_order_acquire)) {
      return true;
    }
  }
}

void wake(G* g) noexcept {
  DEGU_RACE_POINT();
  // After this, if it was not parked, the goroutine may be anywhere: it must not be touched.
  const uint64_t old = g->wait_word.fetch_or(kWaitDone, std::memory_order_acq_rel);
  if ((old & kWaitParked) == 0) return;
  if (g->durable) [[unlikely]]
    g->world->unblocked();
  ready(g);
}

static G* unless_observed(G* g, Interrupt interrupt) noexcept {
  return interrupt == Interrupt::kIgnore || observed_node(*g) == nullptr ? g : nullptr;
}

G* sole_waiter(Interrupt interrupt) noexcept {
  const M* m = this_m();
  if (m == nullptr || m->g == nullptr) return nullptr;
  return m->g->context == nullptr ? m->g : unless_observed(m->g, interrupt);
}

bool disarm() noexcept {
  G& g = *current();
  uint64_t word = g.wait_word.load(std::memory_order_acquire);
  while ((word & kWaitClaimed) == 0) {
    // Claimed and done without a tag: stale tickets lose from now on.
    if (g.wait_word.compare_exchange_weak(word, word | kWaitClaimed | kWaitDone, std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {
      return true;
    }
  }
  return false;
}

uint16_t park(WaitReason reason, const void* object, TimePoint deadline) noexcept {
  G& g = *current();
  uint64_t word = g.wait_word.load(std::memory_order_acquire);
  if ((word & kWaitDone) != 0) return tag_of(word);
  note_wait(g, g.sched.load(std::memory_order_relaxed), reason, object);
  if (g.is_thread) return park_thread(g, deadline);

  M* m = this_m();
  DEGU_CHECK(m != nullptr && m->g == &g, "park() on a scheduler's own stack");
  if (deadline != kNever) {
    park_until(*m, g, deadline, static_cast<uint32_t>(seq_of(word)));
  } else {
    g.status.store(Status::kWaiting, std::memory_order_relaxed);
    leave(*m, g, AfterSwitch::kPark);
  }
  word = g.wait_word.load(std::memory_order_acquire);
  DEGU_ASSERT((word & kWaitDone) != 0);
  return tag_of(word);
}

void throw_interrupted() {
  const G* g = current();
  CancelNode* node = g->context != nullptr ? g->context->node() : nullptr;
  const std::shared_ptr<const Error> cause = node != nullptr ? node->cause() : nullptr;
  const bool late = node != nullptr && node->code() == Code::kDeadlineExceeded;
  if (cause == nullptr) {
    if (late) throw DeadlineExceeded();
    throw Cancelled();
  }
  if (late) throw with_cause(DeadlineExceeded("context deadline exceeded: " + cause->message()), *cause);
  throw with_cause(Cancelled("context cancelled: " + cause->message()), *cause);
}

bool interrupted() noexcept {
  CancelNode* node = observed_node(*current());
  return node != nullptr && node->cancelled();
}

void shield(int delta) noexcept { current()->shield_depth += delta; }

void arm_thread_signal(G& g) noexcept {
  g.thread_signal.store(1, std::memory_order_release);
  futex_wake(g.thread_signal, 1);
}

void leave_context(G& g) noexcept {
  if (g.registered != nullptr) {
    g.registered->remove(&g.cancel_waiter);
    g.registered->unref();
    g.registered = nullptr;
  }
  if (g.context != nullptr) Ref<ContextBase>::adopt(std::exchange(g.context, nullptr));
}

ContextBase* current_context() noexcept { return current()->context; }

Ref<ContextBase> exchange_context(Ref<ContextBase> context) noexcept {
  G* g = current();
  return Ref<ContextBase>::adopt(std::exchange(g->context, context.release()));
}

}  // namespace degu::rt
