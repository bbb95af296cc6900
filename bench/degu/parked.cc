// Memory and time of a million parked goroutines. Twin of bench/go/parked.go. One mode a process, so that
// each figure starts from a fresh heap. usage: parked shared|own|sleep|shared_small|own_small [GOROUTINES]
//
// The small modes give each goroutine the smallest class of stack.
#include <degu/degu.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "report.h"

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

struct Crowd {
  std::size_t size;
  std::string mode;
  degu::GoOptions options = {};
  degu::WaitGroup done = {};
  std::atomic<std::size_t> up = 0;
};

void report(const Crowd& crowd, std::string_view what, double value, std::string_view unit) {
  bench::report(fmt::format("parked_{}_{}", crowd.mode, what), value, unit);
}

// Starts the crowd with start(i) and reports its memory and start-up time once everybody is parked.
template <class Start>
void gather(Crowd& crowd, Start start) {
  const double before = bench::resident_bytes();
  const bench::Stopwatch clock;
  crowd.done.add(static_cast<int>(crowd.size));
  for (std::size_t i = 0; i < crowd.size; ++i) start(i);
  while (crowd.up.load() < crowd.size) degu::sleep(1ms);
  const double elapsed = clock.nanoseconds();
  degu::sleep(200ms);
  const auto count = static_cast<double>(crowd.size);
  report(crowd, "rss", (bench::resident_bytes() - before) / count, "bytes/goroutine");
  report(crowd, "spawn", elapsed / count, "ns/goroutine");
}

// All wait on one channel; closing it wakes all.
void shared(Crowd& crowd) {
  auto gate = degu::make_chan<char>();
  gather(crowd, [&](std::size_t) {
    degu::go(crowd.options, [&crowd, gate] {
      crowd.up.fetch_add(1);
      gate.recv();
      crowd.done.done();
    });
  });
  const bench::Stopwatch clock;
  gate.close();
  crowd.done.wait();
  report(crowd, "wake_all", clock.milliseconds(), "ms");
}

// Each waits on a channel of its own; one send wakes each.
void own(Crowd& crowd) {
  std::vector<degu::Chan<int>> gates(crowd.size);
  gather(crowd, [&](std::size_t i) {
    gates[i] = degu::make_chan<int>();
    degu::go(crowd.options, [&crowd, gate = gates[i]] {
      crowd.up.fetch_add(1);
      gate.recv();
      crowd.done.done();
    });
  });
  const bench::Stopwatch clock;
  for (auto& gate : gates) gate.send(1);
  crowd.done.wait();
  report(crowd, "wake_all", clock.milliseconds(), "ms");
}

// Each sleeps until ten seconds after the start.
void sleeping(Crowd& crowd) {
  std::vector<double> late_ms(crowd.size);
  const auto end = steady_clock::now() + 10s;
  gather(crowd, [&](std::size_t i) {
    degu::go(crowd.options, [&crowd, &late = late_ms[i], end] {
      crowd.up.fetch_add(1);
      degu::sleep(end - steady_clock::now());
      late = std::chrono::duration<double, std::milli>(steady_clock::now() - end).count();
      crowd.done.done();
    });
  });
  crowd.done.wait();
  std::sort(late_ms.begin(), late_ms.end());
  report(crowd, "late_p50", late_ms[crowd.size / 2], "ms");
  report(crowd, "late_max", late_ms.back(), "ms");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "shared";
  const std::size_t size = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1'000'000;
  return degu::run({.stuck_report = {}}, [&] {
    Crowd crowd{.size = size, .mode = mode};
    if (mode.ends_with("_small")) crowd.options.stack_bytes = 1;
    if (mode.starts_with("own")) return own(crowd);
    if (mode == "sleep") return sleeping(crowd);
    return shared(crowd);
  });
}
