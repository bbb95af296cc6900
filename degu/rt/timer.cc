// Timers: the last few armed and a 4-ary heap, a P. Most timers are deadlines that are stopped soon: those never see
// the heap. A stopped timer leaves at once (Timer::index says where it is), so there is no garbage; rejected: Go's lazy
// deletion, which needs timers that outlive their owners. Whoever runs the scheduler loop fires what is due on its own
// P; an idle thread about to sleep looks after all of them.
#include <degu/base/assert.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/timer.h>
#include <time.h>

#include <algorithm>

namespace degu::rt {
namespace {

constexpr uint32_t kArity = 4;
constexpr uint32_t kRecent = 1U << 31;  // of Timer::index: not in the heap

void place(P& p, uint32_t index, TimerEntry entry) noexcept {
  p.timers[index] = entry;
  entry.timer->index = index;
}

void sift_up(P& p, uint32_t index, TimerEntry entry) noexcept {
  while (index > 0) {
    const uint32_t parent = (index - 1) / kArity;
    if (p.timers[parent].when_ns <= entry.when_ns) break;
    place(p, index, p.timers[parent]);
    index = parent;
  }
  place(p, index, entry);
}

void sift_down(P& p, uint32_t index, TimerEntry entry) noexcept {
  const auto size = static_cast<uint32_t>(p.timers.size());
  while (true) {
    const uint32_t first = index * kArity + 1;
    if (first >= size) break;
    uint32_t least = first;
    for (uint32_t child = first + 1; child < std::min(first + kArity, size); ++child) {
      if (p.timers[child].when_ns < p.timers[least].when_ns) least = child;
    }
    if (p.timers[least].when_ns >= entry.when_ns) break;
    place(p, index, p.timers[least]);
    index = least;
  }
  place(p, index, entry);
}

void push(P& p, TimerEntry entry) noexcept {
  // Doubling would copy, and touch, as much again as is kept.
  if (p.timers.size() == p.timers.capacity()) p.timers.reserve(4 * p.timers.size() + p.recent_timers.size());
  p.timers.push_back(entry);
  sift_up(p, static_cast<uint32_t>(p.timers.size() - 1), entry);
}

void remove_at(P& p, uint32_t index) noexcept {
  const TimerEntry last = p.timers.back();
  p.timers.pop_back();
  if (index == p.timers.size()) return;
  if (index > 0 && p.timers[(index - 1) / kArity].when_ns > last.when_ns) {
    sift_up(p, index, last);
  } else {
    sift_down(p, index, last);
  }
}

void remove_recent(P& p, uint32_t at) noexcept {
  const TimerEntry last = p.recent_timers[--p.recent_timer_count];
  p.recent_timers[at] = last;
  last.timer->index = kRecent | at;
}

// Relaxed: who still sees the earlier time looks once in vain.
void publish_earliest(P& p) noexcept {
  int64_t first = p.timers.empty() ? kNoTimer : p.timers.front().when_ns;
  for (uint32_t i = 0; i < p.recent_timer_count; ++i) first = std::min(first, p.recent_timers[i].when_ns);
  p.next_timer.store(first, std::memory_order_relaxed);
}

int64_t to_ns(TimePoint when) noexcept {
  return std::max<int64_t>(1, std::chrono::nanoseconds(when.time_since_epoch()).count());
}

}  // namespace

void settle_timers(P& p) noexcept {
  for (uint32_t i = 0; i < p.recent_timer_count; ++i) push(p, p.recent_timers[i]);
  p.recent_timer_count = 0;
}

int64_t clock_ns() noexcept { return to_ns(scheduler_now()); }

bool timer_start(Timer& timer, TimePoint when, const TimerCalls& calls, void* arg, uint32_t seq) noexcept {
  M* m = this_m();
  Scheduler* sched = m != nullptr ? m->sched : default_scheduler();
  if (sched == nullptr) return false;
  P* const virtual_timers =
      m != nullptr && m->g != nullptr && m->g->world != nullptr ? m->g->world->timers() : nullptr;
  P& p = virtual_timers != nullptr         ? *virtual_timers
         : m != nullptr && m->p != nullptr ? *m->p
                                           : *sched->ps[0].load(std::memory_order_acquire);
  const int64_t when_ns = to_ns(when);
  p.timer_lock.lock();
  DEGU_ASSERT(timer.owner.load(std::memory_order_relaxed) == nullptr, "timer_start of an armed timer");
  if (p.recent_timer_count == p.recent_timers.size()) settle_timers(p);
  timer.index = kRecent | p.recent_timer_count;
  timer.seq = seq;
  timer.calls = &calls;
  timer.arg = arg;
  p.recent_timers[p.recent_timer_count++] = {when_ns, &timer};
  timer.owner.store(&p, std::memory_order_release);
  const bool is_first = when_ns < p.next_timer.load(std::memory_order_relaxed);
  if (is_first) p.next_timer.store(when_ns, std::memory_order_seq_cst);
  p.timer_lock.unlock();
  // A thread asleep in epoll_wait past that time has to look again.
  if (is_first && virtual_timers == nullptr && sched->polling.load(std::memory_order_seq_cst) &&
      when_ns < sched->poll_until.load(std::memory_order_seq_cst)) {
    netpoll_break(*sched);
  }
  return true;
}

bool timer_stop(Timer& timer) noexcept {
  while (P* p = timer.owner.load(std::memory_order_acquire)) {
    p->timer_lock.lock();
    if (timer.owner.load(std::memory_order_relaxed) == p) {
      const uint32_t at = timer.index & ~kRecent;
      (timer.index & kRecent) != 0 ? remove_recent(*p, at) : remove_at(*p, at);
      timer.owner.store(nullptr, std::memory_order_release);
      // Else its time may stay published: the next one to be armed is hardly ever earlier, and need not be published.
      if (p->exact_timers || (p->recent_timer_count == 0 && p->timers.empty())) publish_earliest(*p);
      p->timer_lock.unlock();
      return true;
    }
    p->timer_lock.unlock();  // it has fired, or has moved to another P
  }
  return false;
}

int64_t run_timers(P& p, int64_t now_ns) noexcept {
  if (p.next_timer.load(std::memory_order_relaxed) > now_ns)
    return p.next_timer.load(std::memory_order_relaxed);
  // Who is woken by what fires is told from others by this event. A simulation has its timers run outside of any P.
  if (const M* m = this_m(); m != nullptr && m->p != nullptr && m->g == nullptr)
    flight_record(*m->p, FlightEvent::kTimers, 0);
  p.timer_lock.lock();
  while (p.next_timer.load(std::memory_order_relaxed) <= now_ns) {
    settle_timers(p);
    if (p.timers.front().when_ns > now_ns) {  // that one has been stopped
      publish_earliest(p);
      break;
    }
    Timer& timer = *p.timers.front().timer;
    const auto fire = timer.calls->fire;
    void* const arg = timer.arg;
    const uint32_t seq = timer.seq;
    remove_at(p, 0);
    timer.owner.store(nullptr, std::memory_order_release);
    publish_earliest(p);
    p.timer_lock.unlock();
    fire(arg, seq);  // the Timer may be gone from here on
    p.timer_lock.lock();
  }
  const int64_t next = p.next_timer.load(std::memory_order_relaxed);
  p.timer_lock.unlock();
  return next;
}

int64_t earliest_timer(Scheduler& sched) noexcept {
  int64_t earliest = kNoTimer;
  const uint32_t count = sched.p_count.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    const P* p = sched.ps[i].load(std::memory_order_acquire);
    earliest = std::min(earliest, p->next_timer.load(std::memory_order_seq_cst));
  }
  return earliest;
}

// The timers of a P that nobody runs for now.
void move_timers(P& from, P& to) noexcept {
  if (from.next_timer.load(std::memory_order_seq_cst) == kNoTimer) return;
  P& first = from.id < to.id ? from : to;
  P& second = from.id < to.id ? to : from;
  first.timer_lock.lock();
  second.timer_lock.lock();
  settle_timers(from);
  for (const TimerEntry& entry : from.timers) {
    push(to, entry);
    entry.timer->owner.store(&to, std::memory_order_release);
  }
  const int64_t moved = from.next_timer.load(std::memory_order_relaxed);
  from.timers.clear();
  // In this order: of two looks at all Ps one after the other, one sees the timers.
  if (moved < to.next_timer.load(std::memory_order_relaxed))
    to.next_timer.store(moved, std::memory_order_seq_cst);
  from.next_timer.store(kNoTimer, std::memory_order_seq_cst);
  second.timer_lock.unlock();
  first.timer_lock.unlock();
}

void drop_timers(P& p) noexcept {
  p.timer_lock.lock();
  settle_timers(p);
  std::vector<TimerEntry> dropped;
  dropped.swap(p.timers);
  publish_earliest(p);
  for (const TimerEntry& entry : dropped) entry.timer->owner.store(nullptr, std::memory_order_release);
  p.timer_lock.unlock();
  for (const TimerEntry& entry : dropped) {
    if (entry.timer->calls->drop != nullptr)
      entry.timer->calls->drop(entry.timer->arg);  // it may be gone from here on
  }
}

}  // namespace degu::rt
