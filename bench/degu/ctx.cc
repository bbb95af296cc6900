// Contexts: create and cancel one with a timeout, cancel many descendants. Twin of bench/go/ctx.go.
#include <degu/base/assert.h>
#include <degu/degu.h>

#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include "report.h"

namespace {

using namespace std::chrono_literals;
using degu::Context;

void create_and_cancel(std::string_view name, const Context& parent) {
  const int operations = bench::scaled(2'000'000);
  const bench::Stopwatch clock;
  for (int i = 0; i < operations; ++i) {
    auto [context, cancel] = degu::with_timeout(parent, 1min);
    cancel();
  }
  bench::report(name, clock.per(operations), "ns/op");
}

void check(const std::vector<Context>& contexts) {
  for (const Context& context : contexts) DEGU_CHECK(context.done(), "alive after its parent was cancelled");
}

// Children of one parent; nobody waits for them.
void flat(int size) {
  auto [parent, cancel] = degu::with_cancel(Context::background());
  std::vector<Context> children(static_cast<std::size_t>(size));
  const bench::Stopwatch creating;
  for (Context& child : children) child = degu::with_cancel(parent).context;
  bench::report("ctx_flat100k_create", creating.milliseconds(), "ms");
  const bench::Stopwatch cancelling;
  cancel();
  bench::report("ctx_flat100k_cancel", cancelling.milliseconds(), "ms");
  check(children);
}

// A 10-ary tree of depth 5: 111,110 descendants. The second figure includes that each is asked.
void tree() {
  auto [root, cancel] = degu::with_cancel(Context::background());
  std::vector<Context> level = {root};
  std::vector<Context> all;
  for (int depth = 0; depth < 5; ++depth) {
    std::vector<Context> next;
    for (const Context& parent : level) {
      for (int i = 0; i < 10; ++i) next.push_back(degu::with_cancel(parent).context);
    }
    all.insert(all.end(), next.begin(), next.end());
    level = std::move(next);
  }
  const bench::Stopwatch clock;
  cancel();
  bench::report("ctx_tree111k_cancel", clock.milliseconds(), "ms");
  check(all);
  bench::report("ctx_tree111k_cancel_observed", clock.milliseconds(), "ms");
}

// A goroutine waits for each child.
void wake_all(int size) {
  auto [parent, cancel] = degu::with_cancel(Context::background());
  degu::WaitGroup up;
  degu::WaitGroup down;
  up.add(size);
  down.add(size);
  for (int i = 0; i < size; ++i) {
    degu::go([child = degu::with_cancel(parent).context, &up, &down] {
      up.done();
      child.wait();
      down.done();
    });
  }
  up.wait();
  degu::sleep(50ms);
  const bench::Stopwatch clock;
  cancel();
  down.wait();
  bench::report("ctx_flat100k_cancel_wake_goroutines", clock.milliseconds(), "ms");
}

}  // namespace

int main() {
  return degu::run({.stuck_report = {}}, [] {
    create_and_cancel("ctx_withtimeout_create_cancel", Context::background());
    auto [parent, cancel] = degu::with_cancel(Context::background());
    create_and_cancel("ctx_withtimeout_child_create_cancel", parent);
    cancel();
    flat(bench::scaled(100'000));
    tree();
    wake_all(bench::scaled(100'000));
  });
}
