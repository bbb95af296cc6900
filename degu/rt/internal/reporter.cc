#include <degu/base/time.h>
#include <degu/rt/deadlock.h>
#include <degu/rt/dump.h>
#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/reporter.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/internal/stack.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <thread>

namespace degu::rt {
namespace {

enum : uint32_t { kQuit = 1, kTask = 2, kStop = 4 };

struct Reporter {
  std::atomic<uint32_t> orders{0};  // futex of the thread
  std::atomic<bool> running{false};
  std::thread thread;
  bool owns_quit = false;
  struct sigaction quit_before {};

  // The one task. `busy` is taken for good by a task that did not finish in time.
  std::atomic<bool> busy{false};
  void (*fn)(void*) = nullptr;
  void* arg = nullptr;
  std::atomic<uint32_t> done{0};  // futex of the asker
};

// Never destroyed: signal handlers may look at it until the very end.
Reporter& reporter() noexcept {
  static auto* r = new Reporter;
  return *r;
}
Reporter* the_reporter = nullptr;  // set before the handler is installed

void order(Reporter& r, uint32_t what) noexcept {
  r.orders.fetch_or(what, std::memory_order_release);  // pairs with the exchange in thread_main
  futex_wake(r.orders, 1);
}

void on_quit_signal(int) {
  const int saved = errno;
  order(*the_reporter, kQuit);
  errno = saved;
}

[[noreturn]] void quit() {
  write_stderr("SIGQUIT: quit\n\n");
  std::string text;
  dump_goroutines(text);
  write_stderr(text);
  write_failure_trace("SIGQUIT");
  std::_Exit(2);
}

// The chores that need no order. Rare enough to cost nothing beside a process that sleeps, and never more than 1 % of
// a processor when there are millions of goroutines to look at.
class Chores {
 public:
  explicit Chores(std::chrono::nanoseconds stuck_after) noexcept : stuck_after_(stuck_after) {
    const TimePoint start = now();
    next_search_ = stuck_after_.count() > 0 ? start + stuck_after_ : kNever;
    next_trim_ = start + kTrimEvery;
  }

  TimePoint next() const noexcept { return std::min(next_search_, next_trim_); }

  void run() noexcept {
    const TimePoint start = now();
    if (start >= next_search_) {
      report_stuck_cycles(stuck_after_);
      const TimePoint end = now();
      next_search_ = end + std::max<std::chrono::nanoseconds>(stuck_after_ / 2, 100 * (end - start));
    }
    if (start >= next_trim_) {
      stack_trim();
      const TimePoint end = now();
      next_trim_ = end + std::max<std::chrono::nanoseconds>(kTrimEvery, 100 * (end - start));
    }
  }

 private:
  static constexpr std::chrono::seconds kTrimEvery{5};

  std::chrono::nanoseconds stuck_after_;
  TimePoint next_search_;
  TimePoint next_trim_;
};

void thread_main(Reporter& r) {
  Chores chores(stuck_after());
  while (true) {
    const uint32_t orders = r.orders.exchange(0, std::memory_order_acquire);
    if ((orders & kTask) != 0) {
      r.fn(r.arg);
      r.done.store(1, std::memory_order_release);
      futex_wake(r.done, 1);
    }
    if ((orders & kQuit) != 0) quit();
    if ((orders & kStop) != 0) return;
    if (orders == 0 && !futex_wait(r.orders, 0, chores.next())) chores.run();
  }
}

// Signals are for the other threads; faults stay ours.
sigset_t reporter_mask() noexcept {
  sigset_t mask;
  ::sigfillset(&mask);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) ::sigdelset(&mask, fault);
  return mask;
}

}  // namespace

void start_reporter(bool on_quit) noexcept {
  Reporter& r = reporter();
  the_reporter = &r;
  r.orders.store(0, std::memory_order_relaxed);
  const sigset_t mask = reporter_mask();
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, &mask, &before);
  try {
    r.thread = std::thread([&r] { thread_main(r); });
    r.running.store(true, std::memory_order_release);
  } catch (const std::system_error&) {
    // Reports will have addresses instead of names.
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  struct sigaction now {};
  if (!on_quit || !r.thread.joinable() || ::sigaction(SIGQUIT, nullptr, &now) != 0) return;
  // Ignored, as shells start background programs: taken all the same, as in Go.
  if ((now.sa_flags & SA_SIGINFO) != 0 || (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN)) return;
  r.quit_before = now;
  struct sigaction action {};
  action.sa_handler = &on_quit_signal;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  r.owns_quit = ::sigaction(SIGQUIT, &action, nullptr) == 0;
}

void stop_reporter() noexcept {
  Reporter& r = reporter();
  if (r.owns_quit) {
    struct sigaction now {};
    ::sigaction(SIGQUIT, nullptr, &now);
    if (now.sa_handler == &on_quit_signal) ::sigaction(SIGQUIT, &r.quit_before, nullptr);
    r.owns_quit = false;
  }
  if (!r.running.exchange(false, std::memory_order_acq_rel)) return;
  order(r, kStop);
  r.thread.join();
}

int reporter_threads() noexcept { return reporter().running.load(std::memory_order_acquire) ? 1 : 0; }

bool report_elsewhere(void (*fn)(void* arg), void* arg, std::chrono::nanoseconds patience) noexcept {
  Reporter* r = the_reporter;
  if (r == nullptr || !r->running.load(std::memory_order_acquire)) return false;
  if (r->busy.exchange(true, std::memory_order_acquire)) return false;
  r->fn = fn;
  r->arg = arg;
  r->done.store(0, std::memory_order_relaxed);
  order(*r, kTask);
  const TimePoint deadline = real_now() + patience;
  while (r->done.load(std::memory_order_acquire) == 0) {
    if (!futex_wait(r->done, 0, deadline) && real_now() >= deadline) return false;
  }
  r->busy.store(false, std::memory_order_release);
  return true;
}

bool write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void write_stderr(std::string_view text) noexcept { write_all(STDERR_FILENO, text); }

}  // namespace degu::rt
