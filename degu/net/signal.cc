#include <degu/base/assert.h>
#include <degu/net/signal.h>
#include <degu/rt/park.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>

namespace degu::net {
namespace {

constexpr int kMaxSignal = 64;

// What the handler may touch: one word of pending signals, and the descriptor to poke.
std::atomic<unsigned long long> pending{0};
std::array<std::atomic<int>, kMaxSignal> event_fds{};

void on_signal(int signal) {
  const int saved = errno;
  pending.fetch_or(1ULL << signal, std::memory_order_release);
  const unsigned long long one = 1;
  [[maybe_unused]] const ssize_t n =
      ::write(event_fds[static_cast<std::size_t>(signal)].load(), &one, sizeof one);
  errno = saved;
}

}  // namespace

SignalSet::SignalSet(std::initializer_list<int> signals) : events_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  for (const int signal : signals) {
    DEGU_CHECK(signal > 0 && signal < kMaxSignal, "signal {} cannot be waited for", signal);
    event_fds[static_cast<std::size_t>(signal)].store(events_.fd());
    mask_ |= 1ULL << signal;
    struct sigaction action {};
    action.sa_handler = &on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }
}

SignalSet::~SignalSet() {
  for (int signal = 1; signal < kMaxSignal; ++signal) {
    if ((mask_ >> signal & 1U) == 0) continue;
    ::signal(signal, SIG_DFL);
  }
  pending.fetch_and(~mask_);
}

int SignalSet::wait() {
  while (true) {
    const unsigned long long mine = pending.load(std::memory_order_acquire) & mask_;
    if (mine != 0) {
      const int signal = std::countr_zero(mine);
      pending.fetch_and(~(1ULL << signal), std::memory_order_acq_rel);
      return signal;
    }
    unsigned long long count = 0;
    if (::read(events_.fd(), &count, sizeof count) > 0) continue;
    const int error = events_.wait(rt::Direction::kRead, kNever);
    if (error == ECANCELED) rt::throw_interrupted();
    DEGU_CHECK(error == 0, "waiting for signals failed (errno {})", error);
  }
}

}  // namespace degu::net
