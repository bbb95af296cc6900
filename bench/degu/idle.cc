// Processor time of a process that does nothing, with 10,000 parked goroutines. Twin of bench/go/idle.go.
#include <degu/degu.h>

#include <chrono>

#include "report.h"

int main() {
  using namespace std::chrono_literals;
  return degu::run({.stuck_report = {}}, [] {
    constexpr int kGoroutines = 10'000;
    auto gate = degu::make_chan<char>();
    degu::WaitGroup up;
    up.add(kGoroutines);
    for (int i = 0; i < kGoroutines; ++i) {
      degu::go([gate, &up] {
        up.done();
        gate.recv();
      });
    }
    up.wait();
    degu::sleep(1s);
    const std::chrono::nanoseconds span = bench::scaled(5000) * 1ms;
    const double before = bench::cpu_nanoseconds();
    degu::sleep(span);
    const double spent = bench::cpu_nanoseconds() - before;
    bench::report("idle_10k_parked_cpu", 100 * spent / static_cast<double>(span.count()), "%");
  });
}
