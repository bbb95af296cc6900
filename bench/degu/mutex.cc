// degu::Mutex, uncontended and contended by 8 goroutines. Twin of bench/go/mutex.go.
#include <degu/degu.h>

#include <mutex>
#include <string_view>

#include "report.h"

namespace {

// volatile: the compiler must neither merge the increments nor move them out of the critical section; the Go
// compiler does not either.
volatile int counter = 0;

void uncontended() {
  const int operations = bench::scaled(20'000'000);
  degu::Mutex mutex;
  const bench::Stopwatch clock;
  for (int i = 0; i < operations; ++i) {
    const std::lock_guard lock(mutex);
    counter = counter + 1;
  }
  bench::report("mutex_uncontended", clock.per(operations), "ns/op");
}

// `work` increments a critical section.
void contended(std::string_view name, int operations, int work) {
  constexpr int kGoroutines = 8;
  degu::Mutex mutex;
  degu::WaitGroup wg;
  const bench::Stopwatch clock;
  for (int g = 0; g < kGoroutines; ++g) {
    wg.add(1);
    degu::go([&mutex, &wg, operations, work] {
      for (int i = 0; i < operations / kGoroutines; ++i) {
        const std::lock_guard lock(mutex);
        for (int k = 0; k < work; ++k) counter = counter + 1;
      }
      wg.done();
    });
  }
  wg.wait();
  bench::report(name, clock.per(operations), "ns/op");
}

}  // namespace

int main() {
  return degu::run({.stuck_report = {}}, [] {
    uncontended();
    contended("mutex_8g", bench::scaled(16'000'000), 1);
    contended("mutex_8g_cs100", bench::scaled(4'000'000), 100);
  });
}
