// Timers: a 4-ary heap a P. A stopped timer leaves its heap at once (Timer::index says where it is), so heaps
// hold no garbage; rejected: Go's lazy deletion, which needs timers that outlive their owners. Whoever runs
// the scheduler loop fires what is due on its own P; an idle thread about to sleep looks after all of them.
#include <degu/base/assert.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/timer.h>
#include <time.h>

#include <algorithm>

namespace degu::rt {
namespace {

constexpr uint32_t kArity = 4;

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

void publish_top(P& p) noexcept {
  p.next_timer.store(p.timers.empty() ? kNoTimer : p.timers.front().when_ns, std::memory_order_seq_cst);
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

int64_t to_ns(TimePoint when) noexcept {
  return std::max<int64_t>(1, std::chrono::nanoseconds(when.time_since_epoch()).count());
}

}  // namespace

int64_t clock_ns() noexcept { return to_ns(now()); }

int64_t coarse_clock_ns() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

bool timer_start(Timer& timer, TimePoint when, std::chrono::nanoseconds period, Timer::Fire fire, void* arg,
                 uint32_t seq) noexcept {
  M* m = this_m();
  Scheduler* sched = m != nullptr ? m->sched : default_scheduler();
  if (sched == nullptr) return false;
  P& p = m != nullptr && m->p != nullptr ? *m->p : sched->ps[0];
  const int64_t when_ns = to_ns(when);
  p.timer_lock.lock();
  DEGU_ASSERT(timer.owner.load(std::memory_order_relaxed) == nullptr, "timer_start of an armed timer");
  timer.when = when;
  timer.period = period;
  timer.fire = fire;
  timer.arg = arg;
  timer.seq = seq;
  p.timers.push_back({when_ns, &timer});
  sift_up(p, static_cast<uint32_t>(p.timers.size() - 1), {when_ns, &timer});
  timer.owner.store(&p, std::memory_order_release);
  publish_top(p);
  p.timer_lock.unlock();
  // A thread asleep in epoll_wait past that time has to look again.
  if (sched->polling.load(std::memory_order_seq_cst) &&
      when_ns < sched->poll_until.load(std::memory_order_seq_cst)) {
    netpoll_break(*sched);
  }
  return true;
}

bool timer_stop(Timer& timer) noexcept {
  P* p = timer.owner.load(std::memory_order_acquire);
  if (p == nullptr) return false;
  p->timer_lock.lock();
  const bool armed = timer.owner.load(std::memory_order_relaxed) == p;
  if (armed) {
    remove_at(*p, timer.index);
    timer.owner.store(nullptr, std::memory_order_release);
    publish_top(*p);
  }
  p->timer_lock.unlock();
  return armed;
}

int64_t run_timers(P& p, int64_t now_ns) noexcept {
  if (p.next_timer.load(std::memory_order_relaxed) > now_ns)
    return p.next_timer.load(std::memory_order_relaxed);
  p.timer_lock.lock();
  while (!p.timers.empty() && p.timers.front().when_ns <= now_ns) {
    TimerEntry entry = p.timers.front();
    Timer& timer = *entry.timer;
    const Timer::Fire fire = timer.fire;
    void* const arg = timer.arg;
    const uint32_t seq = timer.seq;
    if (timer.period.count() > 0) {
      const int64_t period = timer.period.count();
      entry.when_ns += period * (1 + (now_ns - entry.when_ns) / period);  // late ticks are dropped
      sift_down(p, 0, entry);
    } else {
      remove_at(p, 0);
      timer.owner.store(nullptr, std::memory_order_release);
    }
    publish_top(p);
    p.timer_lock.unlock();
    fire(arg, seq);  // the Timer may be gone from here on
    p.timer_lock.lock();
  }
  const int64_t next = p.timers.empty() ? kNoTimer : p.timers.front().when_ns;
  p.timer_lock.unlock();
  return next;
}

int64_t earliest_timer(Scheduler& sched) noexcept {
  int64_t earliest = kNoTimer;
  for (uint32_t i = 0; i < sched.procs; ++i) {
    earliest = std::min(earliest, sched.ps[i].next_timer.load(std::memory_order_seq_cst));
  }
  return earliest;
}

void drop_timers(P& p) noexcept {
  p.timer_lock.lock();
  for (const TimerEntry& entry : p.timers) entry.timer->owner.store(nullptr, std::memory_order_release);
  p.timers.clear();
  publish_top(p);
  p.timer_lock.unlock();
}

}  // namespace degu::rt
