// Start and end of a fiber, and a yield. Twin of bench/go/spawn.go, without the rows that keep five million stacks.
#include <vector>

#include "fibers.h"

namespace {

void join_each() {
  const int rounds = bench::scaled(1'000'000);
  const bench::Stopwatch clock;
  for (int i = 0; i < rounds; ++i) bench::spawn([] {}).join();
  bench::report("spawn_join_each", clock.per(rounds), "ns/goroutine");
}

void batches_of_100() {
  const int fibers = bench::scaled(5'000'000);
  std::vector<boost::fibers::fiber> batch;
  const bench::Stopwatch clock;
  for (int i = 0; i < fibers / 100; ++i) {
    for (int j = 0; j < 100; ++j) batch.push_back(bench::spawn([] {}));
    for (auto& fiber : batch) fiber.join();
    batch.clear();
  }
  bench::report("spawn_batch100", clock.per(fibers), "ns/goroutine");
}

void yields() {
  constexpr int kFibers = 4;
  const int yields = bench::scaled(5'000'000);
  std::vector<boost::fibers::fiber> fibers;
  const bench::Stopwatch clock;
  for (int f = 0; f < kFibers; ++f) {
    fibers.push_back(bench::spawn([yields] {
      for (int i = 0; i < yields / kFibers; ++i) boost::this_fiber::yield();
    }));
  }
  for (auto& fiber : fibers) fiber.join();
  bench::report("yield_wall", clock.per(yields), "ns/yield");
}

}  // namespace

int main() {
  join_each();
  batches_of_100();
  yields();
}
