// Goroutines that start goroutines, yield, block their thread and change stacks: each runs once, and all end.
#include <degu/degu.h>
#include <poll.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <stdexcept>

#include "round.h"

namespace stress {
namespace {

struct Storm {
  Round& round;
  std::atomic<int64_t> started = 1;
  std::atomic<int64_t> ended = 0;
  degu::WaitGroup all = {};
};

/// Uses `depth` frames, so that stacks differ in what they have touched.
int64_t sum_on_stack(int depth) {
  volatile int frame[64];
  volatile int& place = frame[depth % 64];
  place = depth;
  return depth == 0 ? 0 : sum_on_stack(depth - 1) + place;
}

void suspend(Random& random) {
  switch (random.below(6)) {
    case 0:
      degu::blocking([] { poll(nullptr, 0, 1); });
      break;
    case 1: {
      const int depth = between(random, 1, 100);
      check(degu::with_stack(1 << 20, [depth] { return sum_on_stack(depth); }) == depth * (depth + 1) / 2,
            "a sum on another stack is wrong");
      break;
    }
    case 2:
      try {  // an exception that is handled while others run
        throw std::out_of_range("x");
      } catch (const std::out_of_range&) {
        degu::yield();
        try {
          throw;
        } catch (const std::out_of_range& e) {
          check(e.what()[0] == 'x', "the handled exception changed over a switch");
        }
      }
      break;
    default:
      degu::yield();
  }
}

void life(Storm& storm, Random random, int depth) {
  const int children = depth == 0 ? 0 : between(random, 0, 5);
  for (int i = 0; i < children; ++i) {
    ++storm.started;
    storm.all.add();
    constexpr std::size_t kStacks[] = {0, 0, 1, 256 << 10, 1 << 20};
    degu::go({.stack_bytes = kStacks[random.below(5)]}, [&storm, random = Random(random.next()), depth] {
      life(storm, random, depth - 1);
      storm.all.done();
    });
  }
  if (one_in(random, 4)) suspend(random);
  ++storm.ended;
  storm.round.operations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

void spawns(Round& round, Random random) {
  while (!round.over()) {
    Storm storm{round};
    life(storm, Random(random.next()), between(random, 1, 7));
    storm.all.wait();
    check(storm.started == storm.ended, "{} goroutines started, {} ended", storm.started.load(),
          storm.ended.load());
  }
}

}  // namespace stress
