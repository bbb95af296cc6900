// Lateness of a goroutine on a 1 ms grid while others block their thread or spin. Twin of bench/go/jitter.go.
// usage: jitter idle|nanosleep|nanosleep_marked|hog
//
// Tick i is due at start + i ms; a late tick does not move the later ones, so a stall is charged to each tick that it
// delays. The marked mode tells the scheduler of the blocking calls (degu::blocking), the other does not.
#include <degu/degu.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "report.h"

namespace {

using namespace std::chrono_literals;

constexpr int kBlocked = 64;
constexpr int kSpinning = 4;

struct alignas(64) Counter {
  volatile long value = 0;
};
Counter counters[kSpinning];

void block_for_100ms() {
  const timespec time = {.tv_sec = 0, .tv_nsec = 100'000'000};
  syscall(SYS_nanosleep, &time, nullptr);
}

void disturb(const std::string& mode) {
  for (int i = 0; i < kBlocked && mode == "nanosleep"; ++i) {
    degu::go([] {
      for (;;) block_for_100ms();
    });
  }
  for (int i = 0; i < kBlocked && mode == "nanosleep_marked"; ++i) {
    degu::go([] {
      for (;;) degu::blocking([] { block_for_100ms(); });
    });
  }
  for (int i = 0; i < kSpinning && mode == "hog"; ++i) {
    degu::go([&counter = counters[i].value] {
      for (;;) counter = counter + 1;
    });
  }
}

void measure(const std::string& mode) {
  const int ticks = bench::scaled(5000);
  std::vector<double> late;
  late.reserve(static_cast<std::size_t>(ticks));
  const auto start = degu::now();
  for (int i = 1; i <= ticks; ++i) {
    const auto due = start + i * 1ms;
    const auto left = due - degu::now();
    if (left > 0ns) degu::sleep(left);
    late.push_back(bench::microseconds_since(due));
  }
  bench::report_lateness("ticker_" + mode, std::move(late), "us");
  bench::report("ticker_" + mode + "_threads", bench::threads(), "threads");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "idle";
  return degu::run({.stuck_report = {}}, [&] {
    disturb(mode);
    degu::sleep(200ms);
    measure(mode);
    std::_Exit(0);  // the others never end; in Go the return from main ends them
  });
}
