// What runs next. A goroutine that leaves takes the next one from its P's own queue and switches straight to it
// (leave_by). After 61 switches, when that queue is empty, or when the P wants attention, it goes to the scheduler's
// loop instead, which looks, in this order: due timers; the global queue; the P's queue; the poller; other Ps'
// queues; and then goes to sleep (idle.cc). After Go's runtime/proc.go (schedule, findRunnable).
//
// To wake a thread on another CPU costs both sides some ten microseconds. So what is queued locally is offered to
// others with reserve: at once while the last offer was taken up (P::credit), else only when something has waited
// for as long as a wake-up costs. Thieves judge by the same age. Two goroutines that talk to each other stay on one
// P. sysmon sees to it that a goroutine which never comes back to offer() keeps nobody waiting.
#include <degu/base/assert.h>
#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/stack_use.h>

#include <algorithm>
#include <utility>

namespace degu::rt {
namespace {

constexpr uint32_t kGlobalEvery = 61 * kTick;
constexpr uint32_t kClockEvery = 8 * kTick;
constexpr uint32_t kFlightClockEvery = 128 * kTick;
#if defined(DEGU_RACE_POINTS) || defined(DEGU_TSAN)
// Who looks for races wants goroutines to meet.
constexpr bool kReserved = false;
#else
constexpr bool kReserved = true;
#endif
constexpr int32_t kOfferEvery = 32;
constexpr int64_t kWorthMovingNs = kReserved ? 20'000 : 0;
constexpr int64_t kOldestEveryNs = kReserved ? 1'000'000 : 0;

// --- ages

void note_age(P& p, int64_t now_ns) noexcept {
  const LocalQueue::Mark mark = p.queue.mark();
  p.age.next.store(mark.next, std::memory_order_relaxed);
  p.age.ready.store(mark.ready, std::memory_order_relaxed);
  p.age.yielded.store(mark.yielded, std::memory_order_relaxed);
  p.age.fresh.store(mark.fresh, std::memory_order_relaxed);
  p.age.noted_ns.store(now_ns, std::memory_order_relaxed);
}

// Is something there that is worth moving to another P? Notes what is there when all former is gone.
bool worth_moving(P& p, int64_t now_ns) noexcept {
  if (p.queue.empty()) return false;
  const int64_t noted = p.age.noted_ns.load(std::memory_order_relaxed);
  const LocalQueue::Mark mark{
      p.age.next.load(std::memory_order_relaxed), p.age.ready.load(std::memory_order_relaxed),
      p.age.yielded.load(std::memory_order_relaxed), p.age.fresh.load(std::memory_order_relaxed)};
  if (noted != 0 && p.queue.waits_since(mark)) return now_ns - noted >= kWorthMovingNs;
  note_age(p, now_ns);
  return false;
}

void offer_slow(P& p) noexcept {
  Scheduler& sched = *p.sched;
  p.offer_countdown.store(kReserved ? kOfferEvery : 0, std::memory_order_relaxed);
  if (sched.spinning.load(std::memory_order_relaxed) != 0) return;
  const int64_t now_ns = clock_ns();
  if (p.credit.load(std::memory_order_relaxed) > 0) {
    p.credit.store(kReserved ? 0 : 1, std::memory_order_relaxed);
    note_age(p, now_ns);
    wake_idle(sched);
  } else if (worth_moving(p, now_ns)) {
    wake_idle(sched);
  }
}

// Something was queued on p by its holder.
void offer(P& p) noexcept {
  if (p.sched->idle_p_count.load(std::memory_order_relaxed) == 0) return;
  const int32_t left = p.offer_countdown.load(std::memory_order_relaxed) - 1;
  p.offer_countdown.store(left, std::memory_order_relaxed);
  if (left <= 0) offer_slow(p);
}

// --- queues

using Push = bool (LocalQueue::*)(G*) noexcept;

// Makes room first: the older half of what is full is everybody's. Apart, as it needs much stack.
[[gnu::noinline]] void push_shedding(P& p, G* g, Push push) noexcept {
  Scheduler& sched = *p.sched;
  G* shed[LocalQueue::kMaxStolen];
  do {
    const uint32_t count = p.queue.shed(shed);
    for (uint32_t i = 0; i < count; ++i) mark_woken(*shed[i], 0);
    sched.lock.lock();
    sched.global.push(shed, count);
    sched.global_size.store(sched.global.size() + sched.global_bound.size, std::memory_order_seq_cst);
    sched.lock.unlock();
  } while (!(p.queue.*push)(g));
  wake_idle(sched);
}

inline void push_ready(P& p, G* g) noexcept {
  if (!p.queue.push_ready(g)) push_shedding(p, g, &LocalQueue::push_ready);
}

inline void push_yielded(P& p, G* g) noexcept {
  if (!p.queue.push_yielded(g)) push_shedding(p, g, &LocalQueue::push_yielded);
}

inline void push_fresh(P& p, G* g) noexcept {
  if (!p.queue.push_fresh(g)) push_shedding(p, g, &LocalQueue::push_fresh);
}

// A fair share of the global queue: `first` is to run now, the others go to the P.
struct Share {
  G* first = nullptr;
  uint32_t count = 0;
  G* others[LocalQueue::kHalf];
};

// Caller holds sched.lock.
void take_share_locked(Scheduler& sched, const P& p, uint32_t limit, Share& share) noexcept {
  sched.global_turn = !sched.global_turn;
  if (sched.global_bound.size != 0 && (sched.global_turn || sched.global.size() == 0)) {
    share.first = sched.global_bound.pop();
  } else if (sched.global.pop(&share.first, 1) != 0) {
    const uint32_t held = std::min(p.queue.size(), LocalQueue::kHalf);
    const uint32_t fair = std::min({sched.global.size() / sched.procs, limit - 1, LocalQueue::kHalf - held});
    share.count = sched.global.pop(share.others, fair);
  }
  sched.global_size.store(sched.global.size() + sched.global_bound.size, std::memory_order_seq_cst);
}

[[gnu::noinline]] G* take_global_slow(Scheduler& sched, P& p, uint32_t limit) noexcept {
  Share share;
  sched.lock.lock();
  take_share_locked(sched, p, limit, share);
  sched.lock.unlock();
  for (uint32_t i = 0; i < share.count; ++i) push_ready(p, share.others[i]);
  return share.first;
}

G* take_global(Scheduler& sched, P& p, uint32_t limit) noexcept {
  if (sched.global_size.load(std::memory_order_seq_cst) == 0) return nullptr;
  return take_global_slow(sched, p, limit);
}

// Test shapes: a random queued goroutine, the others going to the end.
G* take_local(P& p) noexcept {
  G* g = p.queue.take();
  if (g == nullptr || p.sched->options.shuffle_seed == 0) return g;
  for (uint32_t turns = p.random.below(p.queue.size() + 1); turns != 0; --turns) {
    G* other = p.queue.take();
    if (other == nullptr) break;
    push_ready(p, g);
    g = other;
  }
  return g;
}

inline bool looks_beyond(const P& p, uint32_t tick) noexcept {
  return static_cast<int32_t>(tick - p.look_at) >= 0;
}

[[gnu::noinline]] bool has_to_look(const P& p, uint32_t tick) noexcept {
  if (looks_beyond(p, tick)) return true;
  const int64_t timer = p.next_timer.load(std::memory_order_relaxed);
  return timer != kNoTimer && timer <= clock_ns();
}

// The next one of the P's own, unless it is time to look further. Whoever switches to it moves the tick on.
[[gnu::always_inline]] inline G* take_quick(P& p) noexcept {
  if (p.attention.load(std::memory_order_relaxed)) [[unlikely]]
    return nullptr;
  const uint32_t tick = p.tick.load(std::memory_order_relaxed);
  if (tick % kClockEvery == 0 && has_to_look(p, tick)) [[unlikely]]
    return nullptr;
  return p.queue.take();
}

G* adopt_stolen(P& thief, P& victim, G** taken, uint32_t count) noexcept {
  flight_record(thief, FlightEvent::kSteal, uint64_t{count} << 16 | victim.id);
  flight_record(thief, FlightEvent::kMoved, flight_moved(flight_word(*taken[0])));
  for (uint32_t i = 0; i < count; ++i) mark_woken(*taken[i], 0);
  for (uint32_t i = 1; i < count; ++i)
    taken[i]->stack.low == nullptr ? push_fresh(thief, taken[i]) : push_ready(thief, taken[i]);
  victim.credit.store(1, std::memory_order_relaxed);
  victim.offer_countdown.store(0, std::memory_order_relaxed);
  return taken[0];
}

// Looks at the other Ps for as long as what they have may become worth moving.
G* steal(M& m) noexcept {
  P& p = *m.p;
  Scheduler& sched = *m.sched;
  const int64_t until = clock_ns() + kWorthMovingNs + kWorthMovingNs / 4;
  for (bool promising = true; promising;) {
    const int64_t now_ns = clock_ns();
    promising = false;
    const uint32_t count = sched.p_count.load(std::memory_order_acquire);
    const uint32_t start = p.random.below(count);
    for (uint32_t i = 0; i < count; ++i) {
      P& victim = *sched.ps[(start + i) % count].load(std::memory_order_acquire);
      if (&victim == &p) continue;
      if (victim.next_timer.load(std::memory_order_relaxed) <= now_ns) {
        run_timers(victim, now_ns);
        if (G* g = take_local(p); g != nullptr) return g;
      }
      if (!sched.options.steal || victim.queue.empty()) continue;
      promising = true;
      if (!worth_moving(victim, now_ns)) continue;
      G* taken[LocalQueue::kMaxStolen];
      if (const uint32_t n = victim.queue.steal(taken); n != 0) return adopt_stolen(p, victim, taken, n);
    }
    if (now_ns >= until || sched.global_size.load(std::memory_order_relaxed) != 0) break;
    for (int i = 0; i < 20; ++i) cpu_relax();
  }
  return take_global(sched, p, UINT32_MAX);
}

// Queues what the poller found: the first runs now, the rest is there for all.
G* adopt_batch(M& m, GList& batch) noexcept {
  G* first = batch.pop();
  if (first == nullptr) return nullptr;
  flight_record(*m.p, FlightEvent::kPoll, batch.size + 1);
  const uint32_t at = m.p->tick.load(std::memory_order_relaxed);
  mark_woken(*first, at);
  if (batch.size == 0) return first;
  while (G* g = batch.pop()) {
    mark_woken(*g, at);
    push_ready(*m.p, g);
  }
  // They have waited since the last look at the network, and each is worth a system call or two: they may move at once.
  note_age(*m.p, clock_ns() - kWorthMovingNs);
  wake_idle(*m.sched);
  return first;
}

void become_spinning(M& m) noexcept {
  m.spinning = true;
  m.sched->spinning.fetch_add(1, std::memory_order_seq_cst);
}

bool may_spin(const M& m) noexcept {
  if (m.spinning) return true;
  return 2 * m.sched->spinning.load(std::memory_order_seq_cst) <
         m.sched->ps_in_use.load(std::memory_order_relaxed);
}

G* poll_now(M& m) noexcept {
  Scheduler& sched = *m.sched;
  if (sched.open_descs.load(std::memory_order_relaxed) == 0 || sched.polling.load(std::memory_order_relaxed))
    return nullptr;
  GList batch;
  netpoll(m, 0, batch);
  return adopt_batch(m, batch);
}

// The non-blocking part: anything to run for the P that `m` holds?
G* look_for_work(M& m) noexcept {
  P& p = *m.p;
  Scheduler& sched = *m.sched;
  if (p.next_timer.load(std::memory_order_relaxed) != kNoTimer) run_timers(p, clock_ns());
  if (const uint32_t tick = p.tick.load(std::memory_order_relaxed); looks_beyond(p, tick)) {
    p.look_at = tick + kGlobalEvery;
    if (G* g = take_global(sched, p, 1); g != nullptr) return g;
    // A busy P must not keep the network waiting for ever, nor newer goroutines an older one.
    if (G* g = poll_now(m); g != nullptr) return g;
    const int64_t now_ns = clock_ns();
    flight_time(p, now_ns);
    if (now_ns - p.oldest_taken_ns >= kOldestEveryNs) {
      p.oldest_taken_ns = now_ns;
      if (G* g = p.queue.take_oldest_fresh(); g != nullptr) return g;
    }
  }
  if (G* g = take_local(p); g != nullptr) return g;
  if (G* g = take_global(sched, p, UINT32_MAX); g != nullptr) return g;
  if (G* g = poll_now(m); g != nullptr) return g;
  if (sched.p_count.load(std::memory_order_relaxed) > 1 && may_spin(m)) {
    if (!m.spinning) become_spinning(m);
    if (G* g = steal(m); g != nullptr) return g;
  }
  return nullptr;
}

// Is there anything that an idle P should be taken for?
bool work_exists(Scheduler& sched) noexcept {
  if (sched.global_size.load(std::memory_order_seq_cst) != 0) return true;
  if (!sched.options.steal) return false;  // a queue is run by its own P alone, which is not idle then
  const uint32_t count = sched.p_count.load(std::memory_order_acquire);
  const int64_t now_ns = clock_ns();
  for (uint32_t i = 0; i < count; ++i) {
    if (worth_moving(*sched.ps[i].load(std::memory_order_acquire), now_ns)) return true;
  }
  return false;
}

void acquire_p(M& m, P* p) noexcept {
  m.p = p;
  p->holder.store(&m, std::memory_order_release);
  if constexpr (kFlightRecorded) flight_time(*p, clock_ns());
  rouse_sysmon(*m.sched);
}

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
      const int64_t look_again = report_if_deadlocked(sched);
      // As above: publish until when, then look once more at what came before that.
      const int64_t again = std::min(earliest_timer(sched), look_again);
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
  while (sched.global_size.load(std::memory_order_relaxed) != 0) {
    sched.lock.unlock();
    if (G* g = take_global(sched, *m.p, UINT32_MAX); g != nullptr) return g;
    sched.lock.lock();
  }
  if constexpr (kFlightRecorded) flight_time(*m.p, clock_ns());
  flight_record(*m.p, FlightEvent::kIdle, 0);
  put_idle_p(sched, m.p);
  m.p = nullptr;
  sched.lock.unlock();
  return nullptr;
}

// Null when the scheduler stops.
G* find_runnable(M& m) noexcept {
  Scheduler& sched = *m.sched;
  while (!sched.stopping.load(std::memory_order_acquire)) {
    if (m.picked != nullptr) return std::exchange(m.picked, nullptr);
    if (G* g = nullptr; find_locked(m, g)) return g;
    if (m.p == nullptr) {
      sleep_m(m);
      continue;
    }
    if (sched.options.sim != nullptr) [[unlikely]] {
      if (G* g = sim_next(m, *sched.options.sim); g != nullptr) return g;
      continue;
    }
    if (m.p->attention.load(std::memory_order_relaxed) && !come_back(m)) continue;
    if (G* g = look_for_work(m); g != nullptr) return g;
    if (G* g = release_p(m); g != nullptr) return g;
    const bool was_spinning = m.spinning;
    if (m.spinning) {
      m.spinning = false;
      sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
    }
    DEGU_RACE_POINT();
    // The last spinner has gone: whoever queued work for all before that relied on us, so look again (seq_cst on
    // both sides).
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
  // There may be more where this came from.
  if (m.p->queue.size() > 1 || m.sched->global_size.load(std::memory_order_relaxed) != 0) wake_idle(*m.sched);
}

// The switch to next; null: to the loop.
[[gnu::always_inline]] inline void record_switch(P& p, const G* next) noexcept {
  flight_put(p, next != nullptr ? flight_word(*next) : flight_event(FlightEvent::kLoop, 0));
}

// g, which has a stack, is about to run.
inline void install(M& m, G& g) noexcept {
  g.status.store(Status::kRunning, std::memory_order_relaxed);
  m.g = &g;
  *m.eh = g.eh;
}

inline void prepare(M& m, G& g) noexcept {
  if (g.sp == nullptr) attach_stack(*m.p, g);
  install(m, g);
}

void resume(M& m, G& g) noexcept {
  m.after = AfterSwitch::kNone;
  prepare(m, g);
  if (kFlightRecorded && m.p->tick.load(std::memory_order_relaxed) - m.p->flight_timed > kFlightClockEvery)
    flight_time(*m.p, clock_ns());
  record_switch(*m.p, &g);
  switch_stack(&m.sched_sp, m.fiber, g.sp, g.fiber);
  finish_switch(m);
}

void ready_own_thread(G* g) noexcept {
  if (g->is_thread) return arm_thread_signal(*g);
  Scheduler* sched = g->sched.load(std::memory_order_relaxed);
  if (sched == nullptr) {  // abandoned
    g->status.store(Status::kFree, std::memory_order_relaxed);
    return;
  }
  push_global(*sched, g);
  wake_idle(*sched);
}

// Who is to hear that g is off its stack.
inline World* durable_world(const G& g) noexcept { return g.durable ? g.world : nullptr; }

// The lock that it held when it left opens: from there on any thread may run it.
[[gnu::noinline]] void unlock_in_world(World& world, Lock& lock) noexcept {
  lock.unlock();
  world.blocked();
}

[[gnu::always_inline]] inline void finish_sole(M& m) noexcept {
  G* g = m.left;
  // Over from the start for whoever holds an old ticket; the number tells this wait from others in dumps.
  const uint64_t seq = ((g->wait_word.load(std::memory_order_relaxed) >> kWaitSeqShift) + 1) & kWaitSeqMask;
  g->wait_word.store((seq << kWaitSeqShift) | kWaitClaimed | kWaitDone | kWaitParked | kWaitSole,
                     std::memory_order_release);
  if (g->durable) [[unlikely]]
    return unlock_in_world(*g->world, *m.unlock);
  m.unlock->unlock();
}

}  // namespace

void finish_switch(M& m) noexcept {
  G* g = m.left;
  switch (m.after) {
    case AfterSwitch::kUnlock:
      return finish_sole(m);
    case AfterSwitch::kPark: {
      DEGU_RACE_POINT();
      World* const world = durable_world(*g);
      // From here on, unless it is done already, any thread may run it.
      if ((g->wait_word.fetch_or(kWaitParked, std::memory_order_acq_rel) & kWaitDone) != 0) {
        ready(g);
      } else if (world != nullptr) [[unlikely]] {
        world->blocked();
      }
      return;
    }
    case AfterSwitch::kYield:
      set_yielded(*g);
      if (g->own_thread) [[unlikely]]
        return ready_own_thread(g);
      push_yielded(*m.p, g);
      offer(*m.p);
      return;
    case AfterSwitch::kExit:
      detach_stack(*m.p, *g);
      free_g(m.p, g);
      return;
    case AfterSwitch::kUnblocked:
      g->reason.store(static_cast<WaitReason>(FlightStop::kBlocking), std::memory_order_relaxed);
      push_global(*m.sched, g);
      wake_idle(*m.sched);
      return;
    case AfterSwitch::kNone:  // the scheduler's loop was left
      return;
  }
}

// next, which has not run yet, with a stack; null if the loop has to run it. To make stacks takes system calls: not
// while the lock of a channel is held, for which others spin.
[[gnu::noinline]] static G* with_first_stack(M& m, G* next, bool holds_lock) noexcept {
  if (holds_lock && (next->stack_class != kDefaultStackClass || m.p->stacks.count == 0)) {
    m.picked = next;
    return nullptr;
  }
  attach_stack(*m.p, *next);
  return next;
}

[[gnu::always_inline]] static inline void leave_by(M& m, G& g, AfterSwitch after, Lock* unlock) noexcept {
  P& p = *m.p;
  G* next = take_quick(p);
  if (next != nullptr && next->sp == nullptr) [[unlikely]]
    next = with_first_stack(m, next, unlock != nullptr);
  m.after = after;
  m.left = &g;
  m.unlock = unlock;
  g.eh = *m.eh;
  if (g.blocking_depth != 0) [[unlikely]]
    p.in_blocking.store(false, std::memory_order_relaxed);
  void* to = m.sched_sp;
  SanitizerFiber* fiber = &m.fiber;
  if (next != nullptr) [[likely]] {
    record_switch(p, next);
    install(m, *next);
    to = next->sp;
    fiber = &next->fiber;
  } else {
    record_switch(p, nullptr);
    m.g = nullptr;
    *m.eh = EhGlobals{};
  }
  switch_stack(&g.sp, g.fiber, to, *fiber);  // one place, so that equal waits have equal stacks
}

void leave(M& m, G& g, AfterSwitch after) noexcept {
  leave_by(m, g, after, nullptr);
  finish_switch(*this_m());
}

void park_unlocking(G* g, Lock& lock, WaitReason reason, const void* object) noexcept {
  M& m = *this_m();
  note_wait(*g, m.sched, reason, object);
  g->status.store(Status::kWaiting, std::memory_order_relaxed);
  leave_by(m, *g, AfterSwitch::kUnlock, &lock);
  M& arrived = *this_m();
  if (arrived.after != AfterSwitch::kUnlock) [[unlikely]]
    return finish_switch(arrived);
  finish_sole(arrived);
}

// Uninstrumented for TSan: it never returns, but by adoption.
DEGU_UNSANITIZED G* exit_or_adopt(M& m, G& g) noexcept {
  G* next = take_quick(*m.p);
  record_switch(*m.p, next);
#if !defined(DEGU_ASAN) && !defined(DEGU_TSAN)
  if (next != nullptr && next->stack.low == nullptr && next->stack_class == g.stack_class && !g.watch_stack &&
      stack_watch_one_in.load(std::memory_order_relaxed) == 0) {
    next->stack = g.stack;
    next->eh = EhGlobals{};
    next->status.store(Status::kRunning, std::memory_order_relaxed);
    g.stack = Stack{};
    g.sp = nullptr;
    free_g(m.p, &g);
    m.g = next;
    return next;
  }
#endif
  if (g.own_thread) [[unlikely]]
    end_locked(m, g);
  m.after = AfterSwitch::kExit;
  m.left = &g;
  if (next != nullptr) {
    prepare(m, *next);
    switch_stack(&g.sp, g.fiber, next->sp, next->fiber, true);
  } else {
    m.g = nullptr;
    *m.eh = EhGlobals{};
    switch_stack(&g.sp, g.fiber, m.sched_sp, m.fiber, true);
  }
  __builtin_unreachable();
}

G* take_any(P& p) noexcept {
  G* g = p.queue.take();
  return g != nullptr ? g : take_global(*p.sched, p, UINT32_MAX);
}

void push_global(Scheduler& sched, G* g) noexcept {
  g->status.store(Status::kRunnable, std::memory_order_relaxed);
  mark_woken(*g, 0);
  sched.lock.lock();
  if (g->own_thread) {
    sched.global_bound.push(g);
  } else {
    sched.global.push(g);
  }
  sched.global_size.store(sched.global.size() + sched.global_bound.size, std::memory_order_seq_cst);
  sched.lock.unlock();
}

// Where no goroutine runs: the scheduler's loop, timers, the poller, foreign threads. Or not where it runs.
[[gnu::noinline]] static void ready_elsewhere(G* g) noexcept {
  if (g->own_thread) return ready_own_thread(g);
  M* m = this_m();
  g->status.store(Status::kRunnable, std::memory_order_relaxed);
  if (m != nullptr && m->batch != nullptr) {
    m->batch->push(g);
    return;
  }
  Scheduler* const home = g->sched.load(std::memory_order_relaxed);
  if (m == nullptr || m->p == nullptr || m->sched != home) {
    if (home == nullptr) {  // abandoned
      g->status.store(Status::kFree, std::memory_order_relaxed);
      return;
    }
    Scheduler& sched = *home;
    DEGU_CHECK(m != nullptr || sched.options.sim == nullptr,
               "a thread from outside has woken a goroutine of a simulation: a run could not be repeated");
    push_global(sched, g);
    wake_idle(sched);
    return;
  }
  mark_woken(*g, m->p->tick.load(std::memory_order_relaxed));
  push_ready(*m->p, g);
  offer(*m->p);
}

[[gnu::noinline]] static void ready_shedding(P& p, G* g) noexcept {
  push_shedding(p, g, &LocalQueue::push_next);
  offer(p);
}

// While a goroutine runs, its M holds a P and collects no batch.
[[gnu::always_inline]] static inline void ready_unprofiled(G* g) noexcept {
  M* m = this_m();
  if (m == nullptr || m->g == nullptr || m->sched != g->sched.load(std::memory_order_relaxed) ||
      g->own_thread) [[unlikely]]
    return ready_elsewhere(g);
  P& p = *m->p;
  g->status.store(Status::kRunnable, std::memory_order_relaxed);
  mark_woken(*g, p.tick.load(std::memory_order_relaxed));
  if (!p.queue.push_next(g)) [[unlikely]]
    return ready_shedding(p, g);
  offer(p);
}

[[gnu::noinline]] static void ready_profiled(G* g) noexcept {
  record_ready(*g);
  ready_unprofiled(g);
}

[[gnu::always_inline]] static inline void ready_here(G* g) noexcept {
  if (contention_profiled()) [[unlikely]]
    return ready_profiled(g);
  ready_unprofiled(g);
}

void ready(G* g) noexcept { ready_here(g); }

[[gnu::noinline]] static void wake_in_world(G* g) noexcept {
  g->world->unblocked();
  ready_here(g);
}

void wake_sole(G* g) noexcept {
  DEGU_RACE_POINT();
  if (g->durable) [[unlikely]]
    return wake_in_world(g);
  ready_here(g);
}

void ready_fresh(Scheduler& sched, M* m, G* g) noexcept {
  g->status.store(Status::kRunnable, std::memory_order_relaxed);
  if (m == nullptr || m->p == nullptr) {
    push_global(sched, g);
    wake_idle(sched);
    return;
  }
  push_fresh(*m->p, g);
  offer(*m->p);
}

// There is no room for g: those that were started before it run first, unless an idle P could run them.
[[gnu::noinline]] static void ready_behind_others(M& m, G* g) noexcept {
  G& spawner = *m.g;
  const bool may_yield = !spawner.own_thread && spawner.blocking_depth == 0;
  if (may_yield && m.sched->idle_p_count.load(std::memory_order_relaxed) == 0)
    leave(m, spawner, AfterSwitch::kYield);
  P& p = *this_m()->p;
  push_fresh(p, g);
  offer(p);
}

void ready_spawned(Scheduler& sched, M* m, G* g) noexcept {
  if (m == nullptr || m->g == nullptr) return ready_fresh(sched, m, g);
  g->status.store(Status::kRunnable, std::memory_order_relaxed);
  if (!m->p->queue.push_fresh(g)) [[unlikely]]
    return ready_behind_others(*m, g);
  offer(*m->p);
}

void run_m(M& m) noexcept {
  while (G* g = find_runnable(m)) {
    if (m.spinning) stop_spinning(m);
    if (g->own_thread && g->locked_m != &m) [[unlikely]] {
      hand_over(m, *g);
      continue;
    }
    resume(m, *g);
  }
  if (m.spinning) {
    m.spinning = false;
    m.sched->spinning.fetch_sub(1, std::memory_order_seq_cst);
  }
}

}  // namespace degu::rt
