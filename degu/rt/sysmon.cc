// sysmon: a thread without a P that looks at the others. A P whose goroutine does not come back to the scheduler -
// it is inside blocking(), in a system call, or computes - gets a stand-in: another P with a thread of its own,
// which takes over what was queued and the timers. The goroutine is not touched and keeps its own P; when it comes
// back and all places are taken, that P retires (come_back). So the fast path pays nothing: rejected were Go's
// P that is retaken by CAS at each system call, and a barrier around "in the runtime".
//
// How long is too long:
//   inside blocking()                     from one look to the next, 50 us at least
//   its thread has used no CPU meanwhile  the same: a call that blocks the thread, or the kernel runs others
//   otherwise                             10 ms
// It looks every 10 ms, every 50 us for some time after somebody was stuck, and not at all while no P is in use. It
// also follows the CPU quota.
#include <degu/base/cpu.h>
#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/sched.h>
#include <time.h>
#include <unistd.h>

#include <vector>

namespace degu::rt {
namespace {

constexpr int64_t kCalmNs = 10'000'000;
constexpr int64_t kAlertNs = 50'000;
constexpr int64_t kAlertForNs = 2'000'000;
constexpr int64_t kGiveEveryNs = 1'000'000;
constexpr int64_t kHogNs = 10'000'000;
constexpr int64_t kQuotaEveryNs = 30'000'000'000;

// What was seen of a P at the last look.
struct Seen {
  uint32_t tick = 0;
  int64_t since_ns = 0;
  int64_t cpu_ns = -1;
  int64_t given_ns = 0;
  bool reported = false;
};

// CPU time of a thread of this process; -1 if it is gone. The id of such a clock: MAKE_THREAD_CPUCLOCK in the
// kernel's <linux/posix-timers.h>, 6 for "thread" and "sum of the scheduler".
int64_t thread_cpu_ns(int tid) noexcept {
  const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(tid) << 3) | 6);
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) return -1;
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

class Sysmon {
 public:
  explicit Sysmon(Scheduler& sched) noexcept : sched_(sched) {}

  void run() {
    int64_t alert_until = 0;
    int64_t quota_at = clock_ns() + kQuotaEveryNs;
    while (!sched_.stopping.load(std::memory_order_acquire)) {
      const int64_t now_ns = clock_ns();
      sched_.coarse_ns.store(now_ns, std::memory_order_relaxed);
      if (look(now_ns)) alert_until = now_ns + kAlertForNs;
      if (sched_.options.procs == 0 && now_ns >= quota_at) {
        quota_at = now_ns + kQuotaEveryNs;
        follow_quota();
      }
      const bool alert = now_ns < alert_until;
      sched_.sysmon_alert.store(alert, std::memory_order_relaxed);
      rest(now_ns, alert ? kAlertNs : kCalmNs);
    }
  }

 private:
  // True if a P was found that may be stuck.
  bool look(int64_t now_ns) {
    bool suspicious = false;
    const uint32_t count = sched_.p_count.load(std::memory_order_acquire);
    if (seen_.size() < count) seen_.resize(count);
    const bool crowded = sched_.idle_p_count.load(std::memory_order_relaxed) == 0;
    for (uint32_t i = 0; i < count; ++i) {
      P& p = *sched_.ps[i].load(std::memory_order_acquire);
      p.credit.store(1, std::memory_order_relaxed);
      const M* holder = p.holder.load(std::memory_order_acquire);
      const uint32_t tick = p.tick.load(std::memory_order_relaxed);
      Seen& seen = seen_[i];
      if (holder == nullptr || tick != seen.tick || seen.since_ns == 0) {
        seen = {tick, now_ns, -1, 0, false};
        if (p.in_blocking.load(std::memory_order_relaxed)) suspicious = true;
        continue;
      }
      report(p, *holder, seen, now_ns);
      if (!crowded) {
        if (!p.queue.empty() || is_unpolled()) wake_idle(sched_);
        continue;
      }
      if (p.stuck.load(std::memory_order_relaxed)) {
        give_on(p, seen, now_ns);
        continue;
      }
      suspicious = true;
      if (is_stuck(p, seen, *holder, now_ns)) stand_in(sched_, p);
    }
    return suspicious && crowded;
  }

  // Ps are idle, but nobody waits for the network and the timers: the last one who did was given something to run.
  bool is_unpolled() const noexcept {
    return !sched_.polling.load(std::memory_order_relaxed) &&
           (sched_.open_descs.load(std::memory_order_relaxed) != 0 || earliest_timer(sched_) != kNoTimer);
  }

  // What the goroutine of a stuck P has queued since. Not at each look: it interrupts that goroutine.
  static void give_on(P& p, Seen& seen, int64_t now_ns) noexcept {
    if (p.queue.empty() || now_ns - seen.given_ns < kGiveEveryNs) return;
    seen.given_ns = now_ns;
    give_away(p);
  }

  static bool is_stuck(const P& p, Seen& seen, const M& holder, int64_t now_ns) noexcept {
    if (p.in_blocking.load(std::memory_order_relaxed) || now_ns - seen.since_ns >= kHogNs) return true;
    const int64_t former = seen.cpu_ns;
    seen.cpu_ns = thread_cpu_ns(holder.tid.load(std::memory_order_relaxed));
    return former >= 0 && former == seen.cpu_ns;
  }

  // What is inside blocking() has said so, and needs no telling.
  void report(const P& p, const M& holder, Seen& seen, int64_t now_ns) noexcept {
    const int64_t limit = std::chrono::nanoseconds(sched_.options.stuck_report).count();
    if (limit <= 0 || seen.reported || now_ns - seen.since_ns < limit) return;
    seen.reported =
        p.in_blocking.load(std::memory_order_relaxed) || report_stuck(holder, now_ns - seen.since_ns);
  }

  void follow_quota() {
    const auto procs = static_cast<uint32_t>(available_cpus());
    if (procs != sched_.procs.load(std::memory_order_relaxed)) set_procs(sched_, procs);
  }

  void rest(int64_t now_ns, int64_t ns) noexcept {
    sched_.sysmon_signal.store(0, std::memory_order_seq_cst);
    int64_t until = now_ns + ns;
    if (sched_.ps_in_use.load(std::memory_order_seq_cst) == 0) {
      sched_.sysmon_asleep.store(true, std::memory_order_seq_cst);
      // Who took a P into use before that did not see it.
      if (sched_.ps_in_use.load(std::memory_order_seq_cst) == 0) until = kNoTimer;
    }
    if (!sched_.stopping.load(std::memory_order_seq_cst))
      futex_wait(sched_.sysmon_signal, 0,
                 until == kNoTimer ? kNever : TimePoint(std::chrono::nanoseconds(until)));
    sched_.sysmon_asleep.store(false, std::memory_order_relaxed);
  }

  Scheduler& sched_;
  std::vector<Seen> seen_;
};

void signal_sysmon(Scheduler& sched) noexcept {
  sched.sysmon_signal.store(1, std::memory_order_seq_cst);
  futex_wake(sched.sysmon_signal, 1);
}

}  // namespace

void start_sysmon(Scheduler& sched) noexcept {
  sched.coarse_ns.store(clock_ns(), std::memory_order_relaxed);
  sched.sysmon = std::thread([&sched] { Sysmon(sched).run(); });
}

void stop_sysmon(Scheduler& sched) noexcept {
  signal_sysmon(sched);
  sched.sysmon.join();
}

void rouse_sysmon(Scheduler& sched) noexcept {
  if (!sched.sysmon_asleep.load(std::memory_order_seq_cst)) return;
  sched.sysmon_asleep.store(false, std::memory_order_relaxed);
  sched.coarse_ns.store(clock_ns(), std::memory_order_relaxed);
  signal_sysmon(sched);
}

void alert_sysmon(Scheduler& sched) noexcept {
  if (sched.sysmon_alert.exchange(true, std::memory_order_relaxed)) return;
  signal_sysmon(sched);
}

}  // namespace degu::rt
