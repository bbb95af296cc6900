// Threads asleep and awake. An M without work gives its P to the idle list and sleeps: one of them in
// epoll_wait, the others on a futex. Whoever makes work and sees an idle P and no spinning M wakes one, which
// spins, finds the work and wakes the next if there is more.
#include <degu/base/assert.h>
#include <degu/rt/dump.h>
#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/sched.h>
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace degu::rt {
namespace {

void thread_main(M* m) noexcept {
  set_this_m(m);
  enter_signal_stack();
  Scheduler& sched = *m->sched;
  run_m(*m);
  leave_signal_stack();
  set_this_m(nullptr);
  sched.m_alive.fetch_sub(1, std::memory_order_acq_rel);
  futex_wake(sched.m_alive, 1);
}

// A new thread that starts with p. Caller does not hold the lock.
void new_m(Scheduler& sched, P* p, bool spinning) noexcept {
  auto owned = std::make_unique<M>();
  M* m = owned.get();
  m->sched = &sched;
  m->p = p;
  m->spinning = spinning;
  sched.m_alive.fetch_add(1, std::memory_order_acq_rel);
  sched.lock.lock();
  m->id = static_cast<uint32_t>(sched.ms.size() + 1);
  sched.ms.push_back(std::move(owned));
  sched.lock.unlock();
  m->thread = std::thread(thread_main, m);
}

int thread_count() noexcept {
  DIR* dir = ::opendir("/proc/self/task");
  if (dir == nullptr) return 1 << 20;  // unknown: assume that others exist
  int count = 0;
  while (const dirent* entry = ::readdir(dir)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(dir);
  return count;
}

}  // namespace

P* take_idle_p(Scheduler& sched) noexcept {
  P* p = sched.idle_ps;
  if (p == nullptr) return nullptr;
  sched.idle_ps = p->idle_next;
  p->is_idle = false;
  sched.idle_p_count.fetch_sub(1, std::memory_order_seq_cst);
  return p;
}

void put_idle_p(Scheduler& sched, P* p) noexcept {
  p->idle_next = sched.idle_ps;
  p->is_idle = true;
  sched.idle_ps = p;
  sched.idle_p_count.fetch_add(1, std::memory_order_seq_cst);
}

void start_m(Scheduler& sched, P* p, bool spinning) noexcept {
  sched.lock.lock();
  M* m = sched.idle_ms;
  if (m != nullptr) {
    sched.idle_ms = m->idle_next;
    --sched.idle_m_count;
  }
  sched.lock.unlock();
  if (m == nullptr) {
    new_m(sched, p, spinning);
    return;
  }
  m->next_p = p;
  m->next_spinning = spinning;
  m->signal.store(1, std::memory_order_release);  // pairs with sleep_m
  futex_wake(m->signal, 1);
}

void wake_idle(Scheduler& sched) noexcept {
  if (sched.idle_p_count.load(std::memory_order_seq_cst) == 0) return;
  uint32_t none = 0;
  if (sched.spinning.load(std::memory_order_seq_cst) != 0 ||
      !sched.spinning.compare_exchange_strong(none, 1, std::memory_order_seq_cst)) {
    return;
  }
  sched.lock.lock();
  P* p = sched.stopping.load(std::memory_order_relaxed) ? nullptr : take_idle_p(sched);
  sched.lock.unlock();
  if (p == nullptr) {
    sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
    return;
  }
  start_m(sched, p, true);
}

void sleep_m(M& m) noexcept {
  Scheduler& sched = *m.sched;
  sched.lock.lock();
  if (sched.stopping.load(std::memory_order_relaxed)) {
    sched.lock.unlock();
    return;
  }
  m.signal.store(0, std::memory_order_relaxed);
  m.idle_next = sched.idle_ms;
  sched.idle_ms = &m;
  ++sched.idle_m_count;
  sched.lock.unlock();
  while (m.signal.load(std::memory_order_acquire) == 0) futex_wait(m.signal, 0);
  if (m.next_p == nullptr) return;  // the scheduler stops
  m.p = std::exchange(m.next_p, nullptr);
  m.spinning = std::exchange(m.next_spinning, false);
}

// The P of an M that is about to block: someone else must run it if there is anything to run.
void hand_off(Scheduler& sched, P* p) noexcept {
  const bool has_work = !p->queue.empty() || p->runnext.load(std::memory_order_seq_cst) != nullptr ||
                        sched.global_size.load(std::memory_order_seq_cst) != 0;
  if (has_work) {
    start_m(sched, p, false);
    return;
  }
  uint32_t none = 0;
  if (sched.idle_p_count.load(std::memory_order_seq_cst) == 0 &&
      sched.spinning.compare_exchange_strong(none, 1, std::memory_order_seq_cst)) {
    start_m(sched, p, true);  // all others are busy: look for work on its behalf
    return;
  }
  sched.lock.lock();
  const bool last = sched.idle_p_count.load(std::memory_order_relaxed) == sched.procs - 1;
  if (sched.global.size != 0 || (last && !sched.polling.load(std::memory_order_seq_cst))) {
    sched.lock.unlock();
    start_m(sched, p, false);  // somebody has to watch the network and the timers
    return;
  }
  put_idle_p(sched, p);
  sched.lock.unlock();
  if (const int64_t next = p->next_timer.load(std::memory_order_seq_cst);
      next != kNoTimer && next < sched.poll_until.load(std::memory_order_seq_cst)) {
    netpoll_break(sched);
  }
}

void stop_scheduler(Scheduler& sched) noexcept {
  sched.lock.lock();
  sched.stopping.store(true, std::memory_order_seq_cst);
  M* sleeping = std::exchange(sched.idle_ms, nullptr);
  sched.idle_m_count = 0;
  sched.lock.unlock();
  while (sleeping != nullptr) {
    M* m = std::exchange(sleeping, sleeping->idle_next);
    m->next_p = nullptr;
    m->signal.store(1, std::memory_order_release);
    futex_wake(m->signal, 1);
  }
  netpoll_break(sched);
}

// Called by the thread about to sleep in the poller, when no timer is armed and nothing came for a while.
void report_if_deadlocked(Scheduler& sched) noexcept {
  sched.lock.lock();
  const bool idle = sched.idle_p_count.load(std::memory_order_relaxed) == sched.procs &&
                    sched.global.size == 0 && sched.blocking.load(std::memory_order_seq_cst) == 0 &&
                    sched.idle_m_count == sched.m_alive.load(std::memory_order_relaxed) &&
                    !sched.stopping.load(std::memory_order_relaxed);
  const auto own_threads = static_cast<int>(sched.m_alive.load(std::memory_order_relaxed)) + 1;
  sched.lock.unlock();
  if (!idle || earliest_timer(sched) != kNoTimer || netpoll_has_waiter(sched)) return;
#ifdef DEGU_TSAN
  constexpr int kSanitizerThreads = 1;
#else
  constexpr int kSanitizerThreads = 0;
#endif
  if (thread_count() > own_threads + kSanitizerThreads)
    return;  // a thread of the program's own may wake one of them
  report_deadlock();
}

}  // namespace degu::rt
