// What a goroutine costs to start and finish, and a yield. Twin of bench/go/spawn.go.
#include <degu/base/cpu.h>
#include <degu/degu.h>

#include "report.h"

namespace {

constexpr int kGoroutines = 5'000'000;

void all_then_wait() {
  degu::WaitGroup wg;
  const bench::Stopwatch clock;
  wg.add(kGoroutines);
  for (int i = 0; i < kGoroutines; ++i) degu::go([&wg] { wg.done(); });
  wg.wait();
  bench::report("spawn_all_then_wait", clock.nanoseconds() / kGoroutines, "ns/goroutine");
}

void closures_then_wait() {
  degu::WaitGroup wg;
  const bench::Stopwatch clock;
  for (int i = 0; i < kGoroutines; ++i) {
    wg.add(1);
    degu::go([&wg, i] {
      static_cast<void>(i);
      wg.done();
    });
  }
  wg.wait();
  bench::report("spawn_closure_then_wait", clock.nanoseconds() / kGoroutines, "ns/goroutine");
}

void join_each() {
  constexpr int kRounds = 1'000'000;
  degu::WaitGroup wg;
  const bench::Stopwatch clock;
  for (int i = 0; i < kRounds; ++i) {
    wg.add(1);
    degu::go([&wg] { wg.done(); });
    wg.wait();
  }
  bench::report("spawn_join_each", clock.nanoseconds() / kRounds, "ns/goroutine");
}

void batches_of_100() {
  degu::WaitGroup wg;
  const bench::Stopwatch clock;
  for (int i = 0; i < kGoroutines / 100; ++i) {
    wg.add(100);
    for (int j = 0; j < 100; ++j) degu::go([&wg] { wg.done(); });
    wg.wait();
  }
  bench::report("spawn_batch100", clock.nanoseconds() / kGoroutines, "ns/goroutine");
}

void two_spawners() {
  degu::WaitGroup outer;
  const bench::Stopwatch clock;
  for (int spawner = 0; spawner < 2; ++spawner) {
    outer.add(1);
    degu::go([&outer] {
      degu::WaitGroup wg;
      wg.add(kGoroutines / 2);
      for (int i = 0; i < kGoroutines / 2; ++i) degu::go([&wg] { wg.done(); });
      wg.wait();
      outer.done();
    });
  }
  outer.wait();
  bench::report("spawn_2_spawners", clock.nanoseconds() / kGoroutines, "ns/goroutine");
}

// Two goroutines a processor.
void yields() {
  constexpr int kYields = 5'000'000;
  const int goroutines = 2 * degu::available_cpus();
  degu::WaitGroup wg;
  const bench::Stopwatch clock;
  for (int g = 0; g < goroutines; ++g) {
    wg.add(1);
    degu::go([&wg, goroutines] {
      for (int i = 0; i < kYields / goroutines; ++i) degu::yield();
      wg.done();
    });
  }
  wg.wait();
  bench::report("yield_wall", clock.nanoseconds() / kYields, "ns/yield");
}

}  // namespace

int main() {
  return degu::run([] {
    all_then_wait();
    closures_then_wait();
    join_each();
    batches_of_100();
    two_spawners();
    yields();
  });
}
