// What runs next. Each M that holds a P looks, in this order: due timers; every 61st time the global queue;
// the P's runnext (at most three times in a row, so that a pair that wakes each other cannot starve the rest)
// and queue; the global queue; the poller; other Ps' queues; and then goes to sleep (idle.cc). After Go's
// runtime/proc.go (schedule, findRunnable).
#include <degu/base/assert.h>
#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/sched.h>

#include <algorithm>

namespace degu::rt {
namespace {

constexpr uint32_t kGlobalEvery = 61;
constexpr uint32_t kMaxNextStreak = 3;
constexpr int kStealRounds = 4;

// Moves a fair share of the global queue to the P and returns one of it. Caller holds sched.lock.
G* take_global_locked(Scheduler& sched, P& p, uint32_t limit) noexcept {
  G* first = sched.global.pop();
  if (first == nullptr) return nullptr;
  uint32_t share = std::min({sched.global.size / sched.procs + 1, limit, RunQueue::kCapacity / 2});
  for (; share > 1 && sched.global.size != 0; --share) {
    if (p.queue.size() >= RunQueue::kCapacity / 2) break;
    p.queue.push(sched.global.pop());
  }
  sched.global_size.store(sched.global.size, std::memory_order_seq_cst);
  return first;
}

G* take_global(Scheduler& sched, P& p, uint32_t limit) noexcept {
  if (sched.global_size.load(std::memory_order_seq_cst) == 0) return nullptr;
  sched.lock.lock();
  G* g = take_global_locked(sched, p, limit);
  sched.lock.unlock();
  return g;
}

// Test shapes: moves a random queued goroutine to the front by rotating the queue.
void shuffle_queue(P& p) noexcept {
  const uint32_t size = p.queue.size();
  if (size < 2) return;
  for (uint32_t turns = p.random.below(size); turns != 0; --turns) {
    G* g = p.queue.pop();
    if (g == nullptr || !p.queue.push(g)) {
      if (g != nullptr) push_global(*p.sched, g);
      return;
    }
  }
}

G* take_local(P& p) noexcept {
  if (p.sched->options.shuffle_seed != 0) shuffle_queue(p);
  G* next = p.runnext.load(std::memory_order_relaxed);
  if (next != nullptr && (p.next_streak < kMaxNextStreak || p.queue.size() == 0)) {
    ++p.next_streak;
    // A thief may be faster.
    if (p.runnext.compare_exchange_strong(next, nullptr, std::memory_order_acq_rel)) return next;
  }
  p.next_streak = 0;
  G* g = p.queue.pop();
  if (g == nullptr && (next = p.runnext.exchange(nullptr, std::memory_order_acq_rel)) != nullptr) g = next;
  return g;
}

// The goroutine a busy P has just readied is usually about to run there; it is taken only if that does not
// come to pass.
G* steal_next(P& victim) noexcept {
  G* next = victim.runnext.load(std::memory_order_acquire);
  if (next == nullptr) return nullptr;
  const int64_t until = clock_ns() + 3'000;
  while (clock_ns() < until) {
    cpu_relax();
    if (victim.runnext.load(std::memory_order_relaxed) != next) return nullptr;
  }
  return victim.runnext.compare_exchange_strong(next, nullptr, std::memory_order_acq_rel) ? next : nullptr;
}

G* steal_from(P& thief, P& victim, bool take_next) noexcept {
  G* taken[RunQueue::kCapacity / 2];
  const uint32_t count = victim.queue.steal(taken);
  if (count == 0) return take_next ? steal_next(victim) : nullptr;
  for (uint32_t i = 0; i + 1 < count; ++i) {
    if (!thief.queue.push(taken[i])) push_global(*thief.sched, taken[i]);
  }
  return taken[count - 1];
}

G* steal(M& m, int64_t now_ns, bool& timers_ran) noexcept {
  P& p = *m.p;
  Scheduler& sched = *m.sched;
  for (int round = 0; round < kStealRounds; ++round) {
    const bool last = round == kStealRounds - 1;
    const uint32_t start = p.random.below(sched.procs);
    for (uint32_t i = 0; i < sched.procs; ++i) {
      P& victim = sched.ps[(start + i) % sched.procs];
      if (&victim == &p) continue;
      if (last && victim.next_timer.load(std::memory_order_relaxed) <= now_ns) {
        run_timers(victim, now_ns);
        timers_ran = true;
        if (G* g = take_local(p); g != nullptr) return g;
      }
      if (!sched.options.steal) continue;
      if (G* g = steal_from(p, victim, last); g != nullptr) return g;
    }
  }
  return nullptr;
}

// Queues what the poller found: the first runs now, the rest is there for all.
G* adopt_batch(M& m, GList& batch) noexcept {
  G* first = batch.pop();
  if (first == nullptr) return nullptr;
  if (batch.size == 0) return first;
  while (G* g = batch.pop()) push_local(*m.p, g, false);
  wake_idle(*m.sched);
  return first;
}

void become_spinning(M& m) noexcept {
  m.spinning = true;
  m.sched->spinning.fetch_add(1, std::memory_order_seq_cst);
}

bool may_spin(const M& m) noexcept {
  if (m.spinning) return true;
  const uint32_t busy = m.sched->procs - m.sched->idle_p_count.load(std::memory_order_seq_cst);
  return 2 * m.sched->spinning.load(std::memory_order_seq_cst) < busy;
}

// The non-blocking part: anything to run for the P that `m` holds?
G* look_for_work(M& m) noexcept {
  P& p = *m.p;
  Scheduler& sched = *m.sched;
  ++p.tick;
  const bool timers_due = p.next_timer.load(std::memory_order_relaxed) != kNoTimer;
  int64_t now_ns = 0;
  if (timers_due) {
    now_ns = clock_ns();
    run_timers(p, now_ns);
  }
  if (p.tick % kGlobalEvery == 0) {
    if (G* g = take_global(sched, p, 1); g != nullptr) return g;
    // A busy P must not keep the network waiting for ever.
    if (sched.open_descs.load(std::memory_order_relaxed) != 0 &&
        !sched.polling.load(std::memory_order_relaxed)) {
      GList batch;
      netpoll(m, 0, batch);
      if (G* g = adopt_batch(m, batch); g != nullptr) return g;
    }
  }
  if (G* g = take_local(p); g != nullptr) return g;
  if (G* g = take_global(sched, p, UINT32_MAX); g != nullptr) return g;
  if (sched.open_descs.load(std::memory_order_relaxed) != 0 &&
      !sched.polling.load(std::memory_order_relaxed)) {
    GList batch;
    netpoll(m, 0, batch);
    if (G* g = adopt_batch(m, batch); g != nullptr) return g;
  }
  if (sched.procs > 1 && may_spin(m)) {
    if (!m.spinning) become_spinning(m);
    bool timers_ran = false;
    if (now_ns == 0) now_ns = clock_ns();
    if (G* g = steal(m, now_ns, timers_ran); g != nullptr) return g;
  }
  return nullptr;
}

// Is there anything that an idle P should be taken for?
bool work_exists(Scheduler& sched) noexcept {
  if (sched.global_size.load(std::memory_order_seq_cst) != 0) return true;
  for (uint32_t i = 0; i < sched.procs; ++i) {
    const P& p = sched.ps[i];
    // Without stealing only the P itself can run what is queued there; it is idle only when its queue is
    // empty.
    if (!sched.options.steal) continue;
    if (!p.queue.empty() || p.runnext.load(std::memory_order_seq_cst) != nullptr) return true;
  }
  return false;
}

void acquire_p(M& m, P* p) noexcept { m.p = p; }

// Sleeps in epoll_wait without a P; true if it came back with one. `batch` is what became ready.
bool poll_asleep(M& m, GList& batch) noexcept {
  Scheduler& sched = *m.sched;
  const int64_t until = earliest_timer(sched);
  sched.poll_until.store(until, std::memory_order_seq_cst);
  // Whoever starts an earlier timer from here on sees poll_until; those that came before are seen now.
  if (earliest_timer(sched) < until || sched.stopping.load(std::memory_order_seq_cst) || work_exists(sched)) {
    sched.polling.store(false, std::memory_order_seq_cst);
  } else {
    constexpr int64_t kDeadlockDelayNs = 20'000'000;
    const bool suspicious = until == kNoTimer && sched.options.deadlock_report;
    netpoll(m, suspicious ? clock_ns() + kDeadlockDelayNs : until, batch);
    if (suspicious && batch.size == 0) {
      report_if_deadlocked(sched);
      // As above: publish until when, then look once more at what came before that.
      const int64_t again = earliest_timer(sched);
      DEGU_RACE_POINT();
      sched.poll_until.store(again, std::memory_order_seq_cst);
      if (earliest_timer(sched) >= again && !work_exists(sched) &&
          !sched.stopping.load(std::memory_order_seq_cst)) {
        netpoll(m, again, batch);
      }
    }
    sched.polling.store(false, std::memory_order_seq_cst);
  }
  sched.lock.lock();
  P* p = take_idle_p(sched);
  sched.lock.unlock();
  if (p != nullptr) {
    acquire_p(m, p);
    return true;
  }
  while (G* g = batch.pop()) push_global(sched, g);
  wake_idle(sched);
  return false;
}

// Gives the P up unless work has appeared; null with m.p null when it did.
G* release_p(M& m) noexcept {
  Scheduler& sched = *m.sched;
  sched.lock.lock();
  if (G* g = take_global_locked(sched, *m.p, UINT32_MAX); g != nullptr) {
    sched.lock.unlock();
    return g;
  }
  put_idle_p(sched, m.p);
  m.p = nullptr;
  sched.lock.unlock();
  return nullptr;
}

// Null when the scheduler stops.
G* find_runnable(M& m) noexcept {
  Scheduler& sched = *m.sched;
  while (!sched.stopping.load(std::memory_order_acquire)) {
    if (m.p == nullptr) {
      sleep_m(m);
      continue;
    }
    if (G* g = look_for_work(m); g != nullptr) return g;
    if (G* g = release_p(m); g != nullptr) return g;
    const bool was_spinning = m.spinning;
    if (m.spinning) {
      m.spinning = false;
      sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
    }
    DEGU_RACE_POINT();
    // The last spinner has gone: whoever queued work before that relied on us, so look again (seq_cst on both
    // sides).
    if (work_exists(sched) || earliest_timer(sched) <= clock_ns()) {
      sched.lock.lock();
      P* p = take_idle_p(sched);
      sched.lock.unlock();
      if (p != nullptr) {
        acquire_p(m, p);
        if (was_spinning) become_spinning(m);
        continue;
      }
    }
    if (!sched.polling.exchange(true, std::memory_order_seq_cst)) {
      GList batch;
      if (poll_asleep(m, batch)) {
        if (G* g = adopt_batch(m, batch); g != nullptr) return g;
        if (!m.spinning) become_spinning(m);
        continue;
      }
    }
    sleep_m(m);
  }
  return nullptr;
}

void stop_spinning(M& m) noexcept {
  m.spinning = false;
  m.sched->spinning.fetch_sub(1, std::memory_order_seq_cst);
  wake_idle(*m.sched);  // there may be more where this came from
}

void resume(M& m, G& g) noexcept {
  if (g.sp == nullptr) attach_stack(*m.p, g);
  g.status.store(Status::kRunning, std::memory_order_relaxed);
  m.g = &g;
  *m.eh = g.eh;
  switch_stack(&m.sched_sp, m.fiber, g.sp, g.fiber);
  g.eh = *m.eh;
  *m.eh = EhGlobals{};
  m.g = nullptr;
}

// Runs g until it parks, yields or ends.
void execute(M& m, G& g) noexcept {
  while (true) {
    resume(m, g);
    switch (m.after) {
      case AfterSwitch::kPark: {
        DEGU_RACE_POINT();
        // From here on, unless it is done already, any thread may run it.
        const uint64_t old = g.wait_word.fetch_or(kWaitParked, std::memory_order_acq_rel);
        if ((old & kWaitDone) != 0) continue;
        return;
      }
      case AfterSwitch::kYield:
        g.status.store(Status::kRunnable, std::memory_order_relaxed);
        push_local(*m.p, &g, false);
        return;
      case AfterSwitch::kExit:
        detach_stack(*m.p, g);
        free_g(m.p, &g);
        return;
      case AfterSwitch::kUnblocked:
        push_global(*m.sched, &g);
        wake_idle(*m.sched);
        return;
      case AfterSwitch::kNone:
        DEGU_CHECK(false, "a goroutine left its stack without saying why");
    }
  }
}

}  // namespace

void push_global(Scheduler& sched, G* g) noexcept {
  g->status.store(Status::kRunnable, std::memory_order_relaxed);
  sched.lock.lock();
  sched.global.push(g);
  sched.global_size.store(sched.global.size, std::memory_order_seq_cst);
  sched.lock.unlock();
}

// Owner of p. When the queue is full, half of it goes to the global queue.
void push_local(P& p, G* g, bool next) noexcept {
  if (next) {
    g = p.runnext.exchange(g, std::memory_order_seq_cst);  // seq_cst: as RunQueue::push
    if (g == nullptr) return;
  }
  while (!p.queue.push(g)) {
    G* half[RunQueue::kCapacity / 2];
    if (!p.queue.take_half(half)) continue;
    Scheduler& sched = *p.sched;
    sched.lock.lock();
    for (G* old : half) sched.global.push(old);
    sched.global.push(g);
    sched.global_size.store(sched.global.size, std::memory_order_seq_cst);
    sched.lock.unlock();
    return;
  }
}

void ready(G* g) noexcept {
  if (g->is_thread) {
    arm_thread_signal(*g);
    return;
  }
  M* m = this_m();
  g->status.store(Status::kRunnable, std::memory_order_relaxed);
  if (m != nullptr && m->batch != nullptr) {
    m->batch->push(g);
    return;
  }
  Scheduler& sched = *g->sched;
  if (m != nullptr && m->p != nullptr && m->sched == &sched) {
    push_local(*m->p, g, m->g != nullptr);
  } else {
    push_global(sched, g);
  }
  wake_idle(sched);
}

// Uninstrumented for TSan: the last one of a goroutine never returns.
DEGU_UNSANITIZED void switch_to_scheduler(M& m, G& g, AfterSwitch after) noexcept {
  m.after = after;
  switch_stack(&g.sp, g.fiber, m.sched_sp, m.fiber, after == AfterSwitch::kExit);
}

void run_m(M& m) noexcept {
  while (G* g = find_runnable(m)) {
    if (m.spinning) stop_spinning(m);
    execute(m, *g);
  }
  if (m.spinning) {
    m.spinning = false;
    m.sched->spinning.fetch_sub(1, std::memory_order_seq_cst);
  }
}

}  // namespace degu::rt
