// What a goroutine costs to start and finish, and a yield. Twin of bench/go/spawn.go.
#include <degu/base/cpu.h>
#include <degu/degu.h>

#include "report.h"

namespace {

const int kGoroutines = bench::scaled(5'000'000);

void all_then_wait() {
  degu::WaitGroup wg;
  const bench::Stopwatch clock;
  wg.add(kGoroutines);
  for (int i = 0; i < kGoroutines; ++i) degu::go([&wg] { wg.done(); });
  wg.wait();
  bench::report("spawn_all_then_wait", clock.per(kGoroutines), "ns/goroutine");
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
  bench::report("spawn_closure_then_wait", clock.per(kGoroutines), "ns/goroutine");
}

void join_each() {
  const int rounds = bench::scaled(1'000'000);
  degu::WaitGroup wg;
  const bench::Stopwatch clock;
  for (int i = 0; i < rounds; ++i) {
    wg.add(1);
    degu::go([&wg] { wg.done(); });
    wg.wait();
  }
  bench::report("spawn_join_each", clock.per(rounds), "ns/goroutine");
}

void batches_of_100() {
  degu::WaitGroup wg;
  const bench::Stopwatch clock;
  for (int i = 0; i < kGoroutines / 100; ++i) {
    wg.add(100);
    for (int j = 0; j < 100; ++j) degu::go([&wg] { wg.done(); });
    wg.wait();
  }
  bench::report("spawn_batch100", clock.per(kGoroutines), "ns/goroutine");
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
  bench::report("spawn_2_spawners", clock.per(kGoroutines), "ns/goroutine");
}

// Two goroutines a P.
void yields() {
  const int yields = bench::scaled(5'000'000);
  const char* procs = std::getenv("DEGU_MAXPROCS");
  const int goroutines = 2 * (procs == nullptr ? degu::available_cpus() : std::atoi(procs));
  const int each = yields / goroutines;
  degu::WaitGroup wg;
  const bench::Stopwatch clock;
  for (int g = 0; g < goroutines; ++g) {
    wg.add(1);
    degu::go([&wg, each] {
      for (int i = 0; i < each; ++i) degu::yield();
      wg.done();
    });
  }
  wg.wait();
  bench::report("yield_wall", clock.per(yields), "ns/yield");
}

}  // namespace

int main() {
  return degu::run({.stuck_report = {}}, [] {
    all_then_wait();
    closures_then_wait();
    join_each();
    batches_of_100();
    two_spawners();
    yields();
  });
}
