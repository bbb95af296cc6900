// Skynet: a 10-ary tree of goroutines with a million leaves sums its leaf numbers up, over channels or by a TaskGroup.
// Twin of bench/go/skynet.go. usage: skynet chan|join
#include <degu/base/assert.h>
#include <degu/degu.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "report.h"

namespace {

constexpr int64_t kChildren = 10;

void over_channels(const degu::Chan<int64_t>& parent, int64_t first, int64_t leaves) {
  if (leaves == 1) return parent.send(first);
  auto results = degu::make_chan<int64_t>();
  const int64_t share = leaves / kChildren;
  for (int64_t i = 0; i < kChildren; ++i) {
    degu::go([results, child = first + i * share, share] { over_channels(results, child, share); });
  }
  int64_t sum = 0;
  for (int64_t i = 0; i < kChildren; ++i) sum += *results.recv();
  parent.send(sum);
}

int64_t joined(int64_t first, int64_t leaves) {
  if (leaves == 1) return first;
  std::array<int64_t, kChildren> sums{};
  const int64_t share = leaves / kChildren;
  degu::TaskGroup group;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    group.go([&sum = sums[i], child = first + static_cast<int64_t>(i) * share, share] {
      sum = joined(child, share);
    });
  }
  group.wait();
  int64_t sum = 0;
  for (const int64_t part : sums) sum += part;
  return sum;
}

int64_t run_over_channels(int64_t leaves) {
  auto result = degu::make_chan<int64_t>();
  degu::go([result, leaves] { over_channels(result, 0, leaves); });
  return *result.recv();
}

double round_ms(bool join, int64_t leaves) {
  const bench::Stopwatch clock;
  const int64_t sum = join ? joined(0, leaves) : run_over_channels(leaves);
  const double elapsed = clock.milliseconds();
  DEGU_CHECK(sum == leaves * (leaves - 1) / 2, "skynet gave {}", sum);
  return elapsed;
}

}  // namespace

int main(int argc, char** argv) {
  const bool join = argc > 1 && std::string(argv[1]) == "join";
  const std::string name = join ? "skynet_1m_join_" : "skynet_1m_";
  int64_t leaves = 1;
  while (leaves * kChildren <= bench::scaled(1'000'000)) leaves *= kChildren;
  return degu::run({.stuck_report = {}}, [&] {
    bench::report(name + "cold", round_ms(join, leaves), "ms");  // touches every stack for the first time
    round_ms(join, leaves);
    bench::report(name + "warm", round_ms(join, leaves), "ms");
  });
}
