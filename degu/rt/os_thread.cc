// Goroutines locked to threads. Such a goroutine is never in a P's own queue, so that a switch from one goroutine to
// the next needs no look at this: it becomes runnable in the global queue, and the thread that takes it from there
// hands its P over to the thread of the goroutine (hand_over). That thread, once its goroutine leaves, passes the P on
// and waits for the next one (find_locked); P::attention brings it to the loop. After Go's stoplockedm, startlockedm.
#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/os_thread.h>

#include <mutex>
#include <utility>

namespace degu::rt {
namespace {

void pass_on(M& m) noexcept {
  if (m.spinning) {
    m.spinning = false;
    m.sched->spinning.fetch_sub(1, std::memory_order_seq_cst);
  }
  if (!come_back(m)) return;
  Scheduler& sched = *m.sched;
  P& p = *std::exchange(m.p, nullptr);
  if (start_m(sched, &p, false)) return;
  // No thread can be had now: one that comes back takes it.
  while (G* g = p.queue.take()) push_global(sched, g);
  const std::lock_guard guard(sched.lock);
  put_idle_p(sched, &p);
}

}  // namespace

bool find_locked(M& m, G*& g) noexcept {
  if (m.locked_g == nullptr && !m.ends) return false;
  Scheduler& sched = *m.sched;
  g = nullptr;
  if (m.p != nullptr) pass_on(m);
  if (m.ends) return true;
  sched.lock.lock();
  const bool stopping = sched.stopping.load(std::memory_order_relaxed);
  ++sched.idle_m_count;
  sched.lock.unlock();
  if (stopping) return true;
  while (m.signal.load(std::memory_order_acquire) == 0) futex_wait(m.signal, 0);
  if (sched.stopping.load(std::memory_order_acquire)) return true;
  m.signal.store(0, std::memory_order_relaxed);
  m.p = std::exchange(m.next_p, nullptr);
  m.p->holder.store(&m, std::memory_order_release);
  m.p->attention.store(true, std::memory_order_relaxed);
  g = m.locked_g;
  return true;
}

void hand_over(M& m, G& g) noexcept {
  M& to = *g.locked_m;
  m.sched->lock.lock();
  --m.sched->idle_m_count;
  m.sched->lock.unlock();
  to.next_p = std::exchange(m.p, nullptr);
  to.signal.store(1, std::memory_order_release);
  futex_wake(to.signal, 1);
}

void end_locked(M& m, G& g) noexcept {
  g.thread_locks = 1;
  unlock_os_thread();
  m.ends = true;
}

}  // namespace degu::rt

namespace degu {

void lock_os_thread() noexcept {
  rt::M* m = rt::this_m();
  if (m == nullptr || m->g == nullptr || m->sched->options.sim != nullptr) return;
  rt::G& g = *m->g;
  if (g.thread_locks++ != 0) return;
  g.locked_m = m;
  g.own_thread = true;
  m->signal.store(0, std::memory_order_relaxed);
  m->p->attention.store(true, std::memory_order_relaxed);
  const std::lock_guard guard(m->sched->lock);
  m->locked_g = &g;
}

void unlock_os_thread() noexcept {
  rt::M* m = rt::this_m();
  if (m == nullptr || m->g == nullptr || m->g->thread_locks == 0) return;
  rt::G& g = *m->g;
  if (--g.thread_locks != 0) return;
  g.locked_m = nullptr;
  g.own_thread = false;
  const std::lock_guard guard(m->sched->lock);
  m->locked_g = nullptr;
}

}  // namespace degu
