#include <degu/rt/internal/futex.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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
  // WAIT_BITSET takes an absolute time on CLOCK_MONOTONIC.
  const long rc = ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_BITSET_PRIVATE,
                            expected, timeout, nullptr, FUTEX_BITSET_MATCH_ANY);
  return rc == 0 || errno != ETIMEDOUT;
}

void futex_wake(std::atomic<uint32_t>& word, int count) noexcept {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, count);
}

}  // namespace degu::rt
