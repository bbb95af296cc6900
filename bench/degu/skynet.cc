// Skynet: a 10-ary tree of goroutines with a million leaves sums its leaf numbers up. Twin of
// bench/go/skynet.go.
#include <degu/base/assert.h>
#include <degu/degu.h>

#include <cstdint>

#include "report.h"

namespace {

constexpr int64_t kLeaves = 1'000'000;
constexpr int64_t kChildren = 10;
constexpr int64_t kSum = kLeaves * (kLeaves - 1) / 2;

void skynet(const degu::Chan<int64_t>& parent, int64_t first, int64_t leaves) {
  if (leaves == 1) return parent.send(first);
  auto results = degu::make_chan<int64_t>();
  const int64_t share = leaves / kChildren;
  for (int64_t i = 0; i < kChildren; ++i) {
    degu::go([results, child = first + i * share, share] { skynet(results, child, share); });
  }
  int64_t sum = 0;
  for (int64_t i = 0; i < kChildren; ++i) sum += *results.recv();
  parent.send(sum);
}

double round_ms() {
  auto result = degu::make_chan<int64_t>();
  const bench::Stopwatch clock;
  degu::go([result] { skynet(result, 0, kLeaves); });
  const int64_t sum = *result.recv();
  const double elapsed = clock.milliseconds();
  DEGU_CHECK(sum == kSum, "skynet gave {}, not {}", sum, kSum);
  return elapsed;
}

}  // namespace

int main() {
  return degu::run([] {
    bench::report("skynet_1m_cold", round_ms(), "ms");  // the first touches every stack
    round_ms();
    bench::report("skynet_1m_warm", round_ms(), "ms");
  });
}
