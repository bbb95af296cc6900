// Trees of tasks that end by success, error, deadline or cancellation: all end, for a reason that is true, and once.
#include <degu/degu.h>

#include <atomic>
#include <chrono>
#include <stdexcept>

#include "round.h"

namespace stress {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

struct Tree {
  Round& round;
  degu::Chan<int> never = degu::make_chan<int>();
  std::atomic<int64_t> started = 0;
  std::atomic<int64_t> ended = 0;
  std::atomic<int64_t> registered = 0;  // after_func
  std::atomic<int64_t> ran = 0;
};

class Counted {
 public:
  explicit Counted(Tree& tree) : tree_(tree) { ++tree_.started; }
  ~Counted() {
    ++tree_.ended;
    tree_.round.operations.fetch_add(1, std::memory_order_relaxed);
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  Tree& tree_;
};

/// Waits in one of many ways for longer than its scope lasts.
void wait_for_the_end(Tree& tree, Random& random) {
  switch (random.below(5)) {
    case 0:
      return degu::sleep(1h);
    case 1:
      tree.never.recv();
      return;
    case 2:
      degu::select(degu::recv(tree.never), degu::done(degu::current_context()));
      return degu::current_context().check();
    case 3: {
      degu::WaitGroup wg;
      wg.go([&tree, random]() mutable {
        try {
          wait_for_the_end(tree, random);
        } catch (const degu::Error&) {
        }
      });
      return wg.wait();
    }
    default:
      return degu::current_context().wait();
  }
}

void leaf(Tree& tree, Random& random) {
  const Counted counted(tree);
  const auto patience = microseconds(random.below(3000));
  const auto due = degu::now() + patience;
  const auto parent = degu::current_context();
  try {
    const degu::CancelScope scope(patience);
    if (one_in(random, 4)) {
      ++tree.registered;
      const auto after = degu::after_func(scope.context(), [&tree] { ++tree.ran; });
      if (one_in(random, 2) && after.stop()) --tree.registered;
    }
    if (one_in(random, 5)) throw std::runtime_error("leaf");
    wait_for_the_end(tree, random);
  } catch (const degu::DeadlineExceeded&) {
    check(degu::now() >= due || parent.done(), "a deadline passed early");
  } catch (const degu::Cancelled&) {
    check(parent.done(), "cancelled by nobody");
    throw;
  }
}

void branch(Tree& tree, Random random, int depth) {
  const Counted counted(tree);
  degu::TaskGroup group;
  if (one_in(random, 4)) group.set_limit(between(random, 1, 4));
  const int children = between(random, 1, 6);
  for (int i = 0; i < children; ++i) {
    group.go([&tree, random = Random(random.next()), depth]() mutable {
      if (depth == 0 || one_in(random, 4)) return leaf(tree, random);
      branch(tree, random, depth - 1);
    });
  }
  if (one_in(random, 6)) group.cancel();
  group.wait();
}

void grow(Round& round, Random& random) {
  Tree tree{round};
  try {
    branch(tree, Random(random.next()), between(random, 0, 4));
  } catch (const std::exception&) {  // of a leaf, as rethrown by the groups above it
  }
  check(tree.started == tree.ended, "{} tasks started, {} ended", tree.started.load(), tree.ended.load());
  while (tree.ran != tree.registered)
    degu::yield();  // in goroutines of their own; one that is lost hangs the round
}

}  // namespace

void contexts(Round& round, Random random) {
  while (!round.over()) grow(round, random);
}

}  // namespace stress
