// Sleeps, time limits and timers by the thousand: none early, none lost.
#include <degu/degu.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <vector>

#include "round.h"

namespace stress {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

void sleep_once(Random& random) {
  const auto due = degu::now() + microseconds(random.below(2000));
  switch (random.below(3)) {
    case 0:
      degu::sleep(due - degu::now());
      break;
    case 1:
      degu::select(degu::recv(degu::Chan<int>()), degu::after(due - degu::now()));
      break;
    default: {
      degu::Mutex mutex;
      degu::Cond cond;
      std::unique_lock lock(mutex);
      check(!cond.wait_until(lock, due, [] { return false; }), "a condition that is never true was met");
    }
  }
  check(degu::now() >= due, "woke {} ns early", (due - degu::now()).count());
}

/// Functions that are started, moved and stopped while they come due: each runs or was stopped.
void functions(Random& random) {
  std::vector<degu::FuncTimer> timers(static_cast<std::size_t>(between(random, 1, 200)));
  std::atomic<int> ran = 0;
  int stopped = 0;
  for (auto& timer : timers) timer = degu::after_func(microseconds(random.below(2000)), [&ran] { ++ran; });
  for (const auto& timer : timers) {
    if (one_in(random, 20)) degu::yield();
    if (one_in(random, 2) && timer.stop()) ++stopped;
  }
  // One that is lost hangs the round.
  while (ran + stopped < static_cast<int>(timers.size())) degu::yield();
  check(ran + stopped == static_cast<int>(timers.size()), "{} of {} timers ran, {} were stopped", ran.load(),
        timers.size(), stopped);
}

void ticks(Random& random) {
  const auto period = microseconds(between(random, 50, 1000));
  degu::TimePoint earliest = degu::now() + period;
  degu::Ticker ticker(period);
  for (int i = 0; i < 5; ++i) {
    const auto at = ticker.chan().recv();
    check(at && *at >= earliest, "a tick came early");
    earliest = *at;
  }
}

}  // namespace

void timers(Round& round, Random random) {
  degu::WaitGroup sleepers;
  const int count = between(random, 1, 500);
  for (int i = 0; i < count; ++i) {
    sleepers.go([&round, random = Random(random.next())]() mutable {
      while (!round.over()) {
        const uint32_t what = random.below(50);
        if (what == 0) functions(random);
        if (what == 1) ticks(random);
        if (what > 1) sleep_once(random);
        round.operations.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  sleepers.wait();
}

}  // namespace stress
