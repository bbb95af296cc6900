// The handler writes into a ring that the goroutine which takes the profile empties every 100 ms; while it runs, it
// also looks for threads that have come and gone. Timers tell threads apart: one for the process (ITIMER_PROF)
// prefers the thread that happens to notice, which is why Go left it (golang/go#35057).
#include <degu/base/error.h>
#include <degu/rt/internal/frames.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/profile.h>
#include <degu/rt/run.h>
#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

namespace degu::rt {
namespace {

constexpr std::chrono::milliseconds kStep{100};
constexpr std::size_t kSlots = 4096;  // 100 Hz of 256 threads for longer than a step

// Handler: kFree -> kWriting -> kFull; profiler: kFull -> kFree. acquire/release on it order the rest.
enum class SlotState : uint32_t { kFree, kWriting, kFull };
struct Slot {
  std::atomic<SlotState> state{SlotState::kFree};
  std::string_view goroutine;  // names outlive their goroutines
  Frames frames;
};

struct Ring {
  std::atomic<uint32_t> next{0};
  std::atomic<uint64_t> lost{0};
  Slot slots[kSlots];
};

std::atomic<Ring*> ring{nullptr};    // made once, never freed: a late signal may still write
std::atomic<bool> sampling{false};   // the handler has something to do
std::atomic<bool> profiling{false};  // one at a time

void on_prof(int, siginfo_t*, void* context) noexcept {
  const int saved = errno;
  if (sampling.load(std::memory_order_acquire)) {
    Ring& r = *ring.load(std::memory_order_acquire);
    Slot& slot = r.slots[r.next.fetch_add(1, std::memory_order_relaxed) % kSlots];
    SlotState free = SlotState::kFree;
    if (slot.state.compare_exchange_strong(free, SlotState::kWriting, std::memory_order_acquire)) {
      const M* m = this_m();
      const G* g = m != nullptr ? m->g : nullptr;
      slot.goroutine = g != nullptr ? g->name : std::string_view();
      slot.frames.count = 0;
      walk_interrupted(context, g, slot.frames);
      slot.state.store(SlotState::kFull, std::memory_order_release);
    } else {
      r.lost.fetch_add(1, std::memory_order_relaxed);
    }
  }
  errno = saved;
}

// Stays installed for good: a timer's last signal may be under way, and its default action ends the process.
void install() {
  struct sigaction now {};
  ::sigaction(SIGPROF, nullptr, &now);
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &on_prof) return;
  if ((now.sa_flags & SA_SIGINFO) != 0 || (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN)) {
    throw Error(Code::kFailedPrecondition,
                "no CPU profile: the program has a handler of its own for SIGPROF, which the profile needs");
  }
  struct sigaction action {};
  action.sa_sigaction = &on_prof;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  ::sigaction(SIGPROF, &action, nullptr);
}

// A timer for each thread of the process.
class ThreadTimers {
 public:
  explicit ThreadTimers(int hz) : period_ns_(1'000'000'000L / hz) {}
  ~ThreadTimers() {
    for (const auto& [tid, timer] : timers_) ::timer_delete(timer.id);
  }
  ThreadTimers(const ThreadTimers&) = delete;
  ThreadTimers& operator=(const ThreadTimers&) = delete;

  void look_for_threads() {
    DIR* dir = ::opendir("/proc/self/task");
    if (dir == nullptr) return;
    ++round_;
    while (const dirent* entry = ::readdir(dir)) {
      const int tid = std::atoi(entry->d_name);
      if (tid > 0) see(tid);
    }
    ::closedir(dir);
    for (auto it = timers_.begin(); it != timers_.end();) {
      if (it->second.round == round_) {
        ++it;
        continue;
      }
      ::timer_delete(it->second.id);
      it = timers_.erase(it);
    }
  }

 private:
  struct Timer {
    timer_t id;
    uint64_t round;
  };

  void see(int tid) {
    if (const auto it = timers_.find(tid); it != timers_.end()) {
      it->second.round = round_;
      return;
    }
    // The kernel's encoding of "CPU clock of thread tid" (pthread_getcpuclockid(3) needs a pthread_t).
    const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(tid) << 3) | 6U);
    struct sigevent event {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGPROF;
    event._sigev_un._tid = tid;
    timer_t id{};
    if (::timer_create(clock, &event, &id) != 0) return;  // it has ended
    // The first one at random, so that threads which started together are not sampled together.
    const auto first = static_cast<int64_t>(random_u64() % static_cast<uint64_t>(period_ns_)) + 1;
    const itimerspec spec{{period_ns_ / 1'000'000'000, period_ns_ % 1'000'000'000},
                          {first / 1'000'000'000, first % 1'000'000'000}};
    ::timer_settime(id, 0, &spec, nullptr);
    timers_.emplace(tid, Timer{id, round_});
  }

  int64_t period_ns_;
  uint64_t round_ = 0;
  std::map<int, Timer> timers_;
};

using Counts = std::map<std::pair<std::vector<uintptr_t>, std::string_view>, int64_t>;

void drain(Ring& from, Counts& into) {
  for (Slot& slot : from.slots) {
    if (slot.state.load(std::memory_order_acquire) != SlotState::kFull) continue;
    const Frames& frames = slot.frames;
    ++into[{std::vector<uintptr_t>(frames.pcs, frames.pcs + frames.count), slot.goroutine}];
    slot.state.store(SlotState::kFree, std::memory_order_release);
  }
}

// Ends the sampling and allows the next profile, however this one ends.
struct Session {
  Session() {
    if (profiling.exchange(true, std::memory_order_acquire)) {
      throw Error(Code::kFailedPrecondition,
                  "a CPU profile is being taken already; try again when it has ended");
    }
    try {
      install();
    } catch (...) {
      profiling.store(false, std::memory_order_release);
      throw;
    }
    if (ring.load(std::memory_order_relaxed) == nullptr) ring.store(new Ring, std::memory_order_release);
    Counts stale;
    drain(*ring.load(std::memory_order_relaxed), stale);
    sampling.store(true, std::memory_order_release);
  }
  ~Session() {
    sampling.store(false, std::memory_order_release);
    profiling.store(false, std::memory_order_release);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

}  // namespace

Profile cpu_profile(std::chrono::nanoseconds duration, int hz) {
  hz = std::clamp(hz, 1, 1000);
  Profile profile;
  profile.types = {{"samples", "count"}, {"cpu", "nanoseconds"}};
  profile.period_type = {"cpu", "nanoseconds"};
  profile.period = 1'000'000'000 / hz;
  Counts counts;
  {
    const Session session;
    Ring& samples = *ring.load(std::memory_order_relaxed);
    ThreadTimers timers(hz);
    const TimePoint began = now();
    const TimePoint end = after_delay(began, duration);
    while (now() < end) {
      timers.look_for_threads();
      sleep(std::min<std::chrono::nanoseconds>(kStep, end - now()));
      drain(samples, counts);
    }
    profile.duration = now() - began;
  }
  for (auto& [key, count] : counts) {
    profile.samples.push_back({key.first, {count, count * profile.period}, std::string(key.second)});
  }
  return profile;
}

}  // namespace degu::rt
