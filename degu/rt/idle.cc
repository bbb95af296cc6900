// Threads asleep and awake. An M without work gives its P to the idle list and sleeps: one of them in
// epoll_wait, the others on a futex. Whoever makes work and sees an idle P and no spinning M wakes one, which
// spins, finds the work and wakes the next if there is more.
#include <degu/base/assert.h>
#include <degu/rt/dump.h>
#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/reporter.h>
#include <degu/rt/internal/sched.h>
#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <system_error>

namespace degu::rt {
namespace {

// How many threads have goroutines in hand that they took from a P's queue for the global one. sysmon, which holds no
// P, may lose its CPU there for long: no deadlock.
std::atomic<uint32_t> giving_away{0};

// Its thread ends while the scheduler goes on: nobody will join it.
void end_m(M& m) noexcept {
  const std::lock_guard guard(m.sched->lock);
  m.thread.detach();
  m.ends = false;
  m.tid.store(0, std::memory_order_relaxed);
  m.idle_next = m.sched->ended_ms;
  m.sched->ended_ms = &m;
}

// A record for a new thread, among Scheduler::ms. Caller holds the lock.
M* take_m(Scheduler& sched) {
  if (M* m = sched.ended_ms; m != nullptr) {
    sched.ended_ms = m->idle_next;
    return m;
  }
  sched.ms.push_back(std::make_unique<M>());
  M* m = sched.ms.back().get();
  m->id = static_cast<uint32_t>(sched.ms.size() - 1);
  m->sched = &sched;
  return m;
}

void thread_main(M* m) noexcept {
  set_this_m(m);
  if (m->p != nullptr) m->p->holder.store(m, std::memory_order_release);
  enter_signal_stack();
  Scheduler& sched = *m->sched;
  if (!sched.main_started.exchange(true, std::memory_order_relaxed))
    spawn(std::move(sched.main), {.name = "main"});
  run_m(*m);
  leave_signal_stack();
  set_this_m(nullptr);
  if (m->ends) end_m(*m);
  sched.m_alive.fetch_sub(1, std::memory_order_acq_rel);
  futex_wake(sched.m_alive, 1);
}

void report_no_thread(uint32_t threads) noexcept {
  static std::atomic<bool> said{false};
  if (said.exchange(true, std::memory_order_relaxed)) return;
  std::string text = fmt::format(
      "degu: no thread to run goroutines on: {} exist, most of them inside calls that block.\n"
      "  Goroutines wait until some of those calls return. Limit how many run at once (degu::Semaphore), or "
      "raise "
      "RunOptions::max_threads or the limit of the system (ulimit -u, pids.max).\n",
      threads);
  write_stderr(text);
}

// A new thread that starts with p; false if there are too many. Caller does not hold the lock.
bool new_m(Scheduler& sched, P* p, bool spinning) noexcept {
  sched.lock.lock();
  const uint32_t threads = sched.m_alive.load(std::memory_order_relaxed);
  const bool stopping = sched.stopping.load(std::memory_order_relaxed);
  if (threads >= sched.max_threads || stopping) {
    sched.lock.unlock();
    if (!stopping) report_no_thread(threads);
    return false;
  }
  M* m = take_m(sched);
  m->p = p;
  m->spinning = spinning;
  sched.m_alive.fetch_add(1, std::memory_order_acq_rel);
  // Under the lock: who stops the scheduler joins the threads that it finds.
  try {
    m->thread = std::thread(thread_main, m);
  } catch (const std::system_error&) {
    m->idle_next = sched.ended_ms;
    sched.ended_ms = m;
    sched.m_alive.fetch_sub(1, std::memory_order_acq_rel);
    sched.lock.unlock();
    report_no_thread(threads);
    return false;
  }
  sched.lock.unlock();
  return true;
}

// Hands p over to the list of those to be taken. Caller holds the lock.
void link_p(P*& list, P* p) noexcept {
  p->idle_next = list;
  list = p;
}

P* unlink_p(P*& list) noexcept {
  P* p = list;
  if (p != nullptr) list = p->idle_next;
  return p;
}

// p is in use no longer. Caller holds the lock.
void spare_locked(Scheduler& sched, P& p) noexcept {
  p.is_spare = true;
  p.holder.store(nullptr, std::memory_order_relaxed);
  link_p(sched.spare_ps, &p);
  sched.ps_in_use.fetch_sub(1, std::memory_order_seq_cst);
}

P* take_spare_p(Scheduler& sched) noexcept {
  P* p = unlink_p(sched.spare_ps);
  if (p == nullptr) p = new_p(sched);
  if (p == nullptr) return nullptr;
  p->is_spare = false;
  sched.ps_in_use.fetch_add(1, std::memory_order_seq_cst);
  return p;
}

P* any_active_p(Scheduler& sched, const P& but) noexcept {
  const uint32_t count = sched.p_count.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) {
    P* p = sched.ps[i].load(std::memory_order_relaxed);
    if (p != &but && !p->is_spare && !p->stuck.load(std::memory_order_relaxed)) return p;
  }
  return nullptr;
}

// The holder of a stuck P gives it up: what is queued there is everybody's.
void retire(Scheduler& sched, P& p) noexcept {
  while (G* g = p.queue.take()) push_global(sched, g);
  sched.lock.lock();
  p.stuck.store(false, std::memory_order_relaxed);
  p.attention.store(sched.options.shuffle_seed != 0, std::memory_order_relaxed);
  spare_locked(sched, p);
  P* heir = any_active_p(sched, p);
  sched.lock.unlock();
  if (heir != nullptr) move_timers(p, *heir);
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
  P* p = unlink_p(sched.idle_ps);
  if (p == nullptr) return nullptr;
  p->is_idle = false;
  sched.idle_p_count.fetch_sub(1, std::memory_order_seq_cst);
  sched.ps_in_use.fetch_add(1, std::memory_order_seq_cst);
  return p;
}

void put_idle_p(Scheduler& sched, P* p) noexcept {
  p->is_idle = true;
  p->holder.store(nullptr, std::memory_order_relaxed);
  link_p(sched.idle_ps, p);
  sched.idle_p_count.fetch_add(1, std::memory_order_seq_cst);
  sched.ps_in_use.fetch_sub(1, std::memory_order_seq_cst);
}

P* new_p(Scheduler& sched) noexcept {
  const uint32_t id = sched.p_count.load(std::memory_order_relaxed);
  if (id == kMaxPs) return nullptr;
  auto* p = new P;
  p->sched = &sched;
  p->id = id;
  p->random = Random(sched.options.shuffle_seed != 0 ? sched.options.shuffle_seed + id : random_u64());
  p->attention.store(sched.options.shuffle_seed != 0, std::memory_order_relaxed);
  p->exact_timers = sched.options.sim != nullptr;
  sched.ps[id].store(p, std::memory_order_release);
  sched.p_count.store(id + 1, std::memory_order_release);
  return p;
}

bool start_m(Scheduler& sched, P* p, bool spinning) noexcept {
  rouse_sysmon(sched);
  sched.lock.lock();
  M* m = sched.idle_ms;
  if (m != nullptr) {
    sched.idle_ms = m->idle_next;
    --sched.idle_m_count;
  }
  sched.lock.unlock();
  if (m == nullptr) return new_m(sched, p, spinning);
  m->next_p = p;
  m->next_spinning = spinning;
  m->signal.store(1, std::memory_order_release);  // pairs with sleep_m
  futex_wake(m->signal, 1);
  return true;
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
  if (start_m(sched, p, true)) return;
  sched.lock.lock();
  put_idle_p(sched, p);
  sched.lock.unlock();
  sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
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
  m.p->holder.store(&m, std::memory_order_release);
  m.spinning = std::exchange(m.next_spinning, false);
}

// Once: a goroutine that starts others all the time would keep us here, and each look interrupts it.
void give_away(P& p) noexcept {
  G* taken[LocalQueue::kMaxTaken];
  giving_away.fetch_add(1, std::memory_order_seq_cst);
  const uint32_t count = p.queue.steal_all(taken);
  for (uint32_t i = 0; i < count; ++i) push_global(*p.sched, taken[i]);
  giving_away.fetch_sub(1, std::memory_order_seq_cst);
  // The Ps may have fallen idle while these were in no queue.
  if (count != 0) wake_idle(*p.sched);
}

bool stand_in(Scheduler& sched, P& stuck) noexcept {
  sched.lock.lock();
  if (stuck.stuck.load(std::memory_order_relaxed) || stuck.is_idle || stuck.is_spare ||
      sched.stopping.load(std::memory_order_relaxed)) {
    sched.lock.unlock();
    return false;
  }
  P* p = take_spare_p(sched);
  if (p == nullptr) {
    sched.lock.unlock();
    return false;
  }
  stuck.stuck.store(true, std::memory_order_relaxed);
  stuck.attention.store(true, std::memory_order_release);
  sched.lock.unlock();
  move_timers(stuck, *p);
  give_away(stuck);
  if (start_m(sched, p, false)) return true;
  sched.lock.lock();
  spare_locked(sched, *p);
  // Still stuck, but nobody stands in: it goes on as before when it comes back.
  stuck.stuck.store(false, std::memory_order_relaxed);
  sched.lock.unlock();
  move_timers(*p, stuck);
  return false;
}

bool find_place(M& m) noexcept {
  Scheduler& sched = *m.sched;
  P& p = *m.p;
  const std::lock_guard guard(sched.lock);
  if (p.stuck.load(std::memory_order_relaxed)) {
    p.stuck.store(false, std::memory_order_relaxed);
    ++sched.active_ps;
  }
  if (sched.active_ps > sched.procs.load(std::memory_order_relaxed)) {
    P* idle = take_idle_p(sched);
    if (idle == nullptr) {
      p.stuck.store(true, std::memory_order_relaxed);
      --sched.active_ps;
      return false;
    }
    spare_locked(sched, *idle);
    --sched.active_ps;
  }
  p.attention.store(sched.options.shuffle_seed != 0 || m.locked_g != nullptr ||
                        sched.stopping.load(std::memory_order_relaxed),
                    std::memory_order_relaxed);
  return true;
}

bool come_back(M& m) noexcept {
  Scheduler& sched = *m.sched;
  P& p = *m.p;
  if (find_place(m)) return true;
  m.p = nullptr;
  if (m.spinning) {
    m.spinning = false;
    sched.spinning.fetch_sub(1, std::memory_order_seq_cst);
  }
  retire(sched, p);
  wake_idle(sched);
  return false;
}

bool is_anyone_blocking(const Scheduler& sched) noexcept {
  const uint32_t count = sched.p_count.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    if (sched.ps[i].load(std::memory_order_acquire)->in_blocking.load(std::memory_order_relaxed)) return true;
  }
  return false;
}

void set_procs(Scheduler& sched, uint32_t procs) noexcept {
  sched.lock.lock();
  const uint32_t former = sched.procs.exchange(procs, std::memory_order_relaxed);
  while (sched.active_ps < procs) {
    P* p = take_spare_p(sched);
    if (p == nullptr) break;
    ++sched.active_ps;
    put_idle_p(sched, p);
  }
  while (sched.active_ps > procs) {
    P* p = take_idle_p(sched);
    if (p == nullptr) break;
    spare_locked(sched, *p);
    --sched.active_ps;
  }
  const uint32_t count = sched.p_count.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count && sched.active_ps > procs; ++i)
    sched.ps[i].load(std::memory_order_relaxed)->attention.store(true, std::memory_order_relaxed);
  sched.lock.unlock();
  if (procs > former) wake_idle(sched);
}

void stop_scheduler(Scheduler& sched) noexcept {
  sched.lock.lock();
  sched.stopping.store(true, std::memory_order_seq_cst);
  M* sleeping = std::exchange(sched.idle_ms, nullptr);
  sched.idle_m_count = 0;
  for (const auto& m : sched.ms) {
    if (m->locked_g == nullptr) continue;
    m->signal.store(1, std::memory_order_release);
    futex_wake(m->signal, 1);
  }
  const uint32_t ps = sched.p_count.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < ps; ++i)
    sched.ps[i].load(std::memory_order_relaxed)->attention.store(true, std::memory_order_relaxed);
  sched.lock.unlock();
  while (sleeping != nullptr) {
    M* m = std::exchange(sleeping, sleeping->idle_next);
    m->next_p = nullptr;
    m->signal.store(1, std::memory_order_release);
    futex_wake(m->signal, 1);
  }
  netpoll_break(sched);
}

// Called by the thread about to sleep in the poller, when no timer is armed and nothing came for a while. Returns when
// it should be called again: busy goroutines and foreign threads can go without telling the poller.
int64_t report_if_deadlocked(Scheduler& sched) noexcept {
  constexpr int64_t kAgainNs = 1'000'000'000;
  sched.lock.lock();
  const bool idle = sched.ps_in_use.load(std::memory_order_relaxed) == 0 &&
                    sched.global_size.load(std::memory_order_relaxed) == 0 &&
                    giving_away.load(std::memory_order_seq_cst) == 0 &&
                    sched.idle_m_count + 1 == sched.m_alive.load(std::memory_order_relaxed) &&
                    !sched.stopping.load(std::memory_order_relaxed);
  // These, the one that called run(), sysmon.
  const auto own_threads =
      static_cast<int>(sched.m_alive.load(std::memory_order_relaxed)) + 2 + reporter_threads();
  sched.lock.unlock();
  if (earliest_timer(sched) != kNoTimer) return kNoTimer;  // its end wakes the poller
  if (!idle) return clock_ns() + kAgainNs;
  if (netpoll_has_waiter(sched)) return kNoTimer;
#ifdef DEGU_TSAN
  constexpr int kSanitizerThreads = 1;
#else
  constexpr int kSanitizerThreads = 0;
#endif
  // A thread of the program's own may wake one of them.
  if (thread_count() > own_threads + kSanitizerThreads) return clock_ns() + kAgainNs;
  report_deadlock();
}

}  // namespace degu::rt
