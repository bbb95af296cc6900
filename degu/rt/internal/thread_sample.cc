#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/internal/thread_sample.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <vector>

namespace degu::rt {
namespace {

constexpr int kSignal = SIGURG;
constexpr std::chrono::milliseconds kPatience{100};  // a loaded machine schedules the thread by then

// The one request under way. The asker moves it from kNone to kAsked, the handler through kBusy to kDone, and
// the asker back to kNone; an asker that loses patience does so only from kAsked, so that no handler writes
// afterwards.
enum : uint32_t { kNone, kAsked, kBusy, kDone };
struct Request {
  std::atomic<uint32_t> state{kNone};
  std::atomic<const M*> m{nullptr};  // a handler that is late reads it too
  ThreadSample sample;
};
Request request;
std::mutex asker;

void on_sample(int, siginfo_t*, void* context) noexcept {
  const int saved = errno;
  uint32_t asked = kAsked;
  const M* m = this_m();
  // acquire/release on the state order the request's fields.
  if (m != nullptr && request.state.load(std::memory_order_acquire) == kAsked &&
      request.m.load(std::memory_order_relaxed) == m &&
      request.state.compare_exchange_strong(asked, kBusy, std::memory_order_acquire)) {
    request.sample.frames.count = 0;
    request.sample.goroutine = m->g != nullptr ? m->g->id : 0;
    if (m->g != nullptr) walk_interrupted(context, m->g, request.sample.frames);
    request.state.store(kDone, std::memory_order_release);
    futex_wake(request.state, 1);
  }
  errno = saved;
}

bool install() noexcept {
  struct sigaction now {};
  if (::sigaction(kSignal, nullptr, &now) != 0) return false;
  if ((now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN)
    return false;
  if ((now.sa_flags & SA_SIGINFO) != 0) return now.sa_sigaction == &on_sample;
  struct sigaction action {};
  action.sa_sigaction = &on_sample;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  return ::sigaction(kSignal, &action, nullptr) == 0;
}

}  // namespace

bool sample_thread(const M& m, ThreadSample& out) noexcept {
  const std::lock_guard guard(asker);
  const int tid = m.tid.load(std::memory_order_acquire);
  if (tid == 0 || !install()) return false;
  request.m.store(&m, std::memory_order_relaxed);
  request.state.store(kAsked, std::memory_order_release);
  if (::syscall(SYS_tgkill, ::getpid(), tid, kSignal) == 0) {
    const TimePoint deadline = real_now() + kPatience;
    uint32_t state = request.state.load(std::memory_order_acquire);
    while (state != kDone) {
      if (state == kAsked && real_now() >= deadline &&
          request.state.compare_exchange_strong(state, kNone, std::memory_order_acq_rel)) {
        return false;
      }
      futex_wait(request.state, state, state == kAsked ? deadline : kNever);
      state = request.state.load(std::memory_order_acquire);
    }
    out = request.sample;
  }
  const bool answered = request.state.exchange(kNone, std::memory_order_acq_rel) == kDone;
  return answered && out.goroutine != 0;
}

void sample_threads(Scheduler& sched, void (*visit)(const ThreadSample& sample, void* arg), void* arg) {
  std::vector<const M*> all;
  sched.lock.lock();
  for (const auto& m : sched.ms) all.push_back(m.get());
  sched.lock.unlock();
  for (const M* m : all) {
    ThreadSample sample;
    if (sample_thread(*m, sample)) visit(sample, arg);
  }
}

}  // namespace degu::rt
