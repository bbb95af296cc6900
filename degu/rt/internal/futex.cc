#include <degu/rt/internal/futex.h>
#include <degu/rt/internal/switch.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace degu::rt {

// noinline: errno must not be cached across a suspension of the caller.
[[gnu::noinline]] bool futex_wait(std::atomic<uint32_t>& word, uint32_t expected,
                                  TimePoint deadline) noexcept {
  timespec when{};
  timespec* timeout = nullptr;
  if (deadline != kNever) {
    const int64_t ns = std::chrono::nanoseconds(deadline.time_since_epoch()).count();
    when.tv_sec = ns > 0 ? ns / 1'000'000'000 : 0;
    when.tv_nsec = ns > 0 ? ns % 1'000'000'000 : 0;
    timeout = &when;
  }
#ifdef DEGU_TSAN
  // TSan runs a signal's handler when the thread next calls a function that it intercepts. This one would sleep on.
  if (deadline == kNever) {
    constexpr long kLookNs = 100'000'000;
    ::clock_gettime(CLOCK_MONOTONIC, &when);
    when.tv_nsec += kLookNs;
    if (when.tv_nsec >= 1'000'000'000) when = {when.tv_sec + 1, when.tv_nsec - 1'000'000'000};
    timeout = &when;
    ::usleep(0);
  }
#endif
  // WAIT_BITSET takes an absolute time on CLOCK_MONOTONIC.
  const long rc = ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_BITSET_PRIVATE,
                            expected, timeout, nullptr, FUTEX_BITSET_MATCH_ANY);
  return rc == 0 || errno != ETIMEDOUT || deadline == kNever;
}

void futex_wake(std::atomic<uint32_t>& word, int count) noexcept {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, count);
}

void back_off(uint32_t turn) noexcept {
  constexpr uint32_t kSpins = 32;
  constexpr int kPauses = 30;
  constexpr long kFirstSleepNs = 20'000;
  constexpr uint32_t kMaxDoublings = 5;
  if (turn < kSpins) {
    for (int i = 0; i < kPauses; ++i) cpu_relax();
    return;
  }
  const timespec pause{0, kFirstSleepNs << std::min(turn - kSpins, kMaxDoublings)};
  ::nanosleep(&pause, nullptr);
}

}  // namespace degu::rt
