// Skynet on Boost.Fiber. Twin of bench/go/skynet.go. usage: skynet chan|join
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "fibers.h"

namespace {

constexpr int64_t kChildren = 10;
using Channel = boost::fibers::unbuffered_channel<int64_t>;

void over_channels(Channel& parent, int64_t first, int64_t leaves) {
  if (leaves == 1) {
    parent.push(first);
    return;
  }
  Channel results;
  const int64_t share = leaves / kChildren;
  std::array<boost::fibers::fiber, kChildren> children;
  for (std::size_t i = 0; i < children.size(); ++i) {
    children[i] = bench::spawn([&results, child = first + static_cast<int64_t>(i) * share, share] {
      over_channels(results, child, share);
    });
  }
  int64_t sum = 0;
  for (std::size_t i = 0; i < children.size(); ++i) sum += results.value_pop();
  for (auto& child : children) child.join();
  parent.push(sum);
}

int64_t joined(int64_t first, int64_t leaves) {
  if (leaves == 1) return first;
  const int64_t share = leaves / kChildren;
  std::array<int64_t, kChildren> sums{};
  std::array<boost::fibers::fiber, kChildren> children;
  for (std::size_t i = 0; i < children.size(); ++i) {
    children[i] = bench::spawn([&sum = sums[i], child = first + static_cast<int64_t>(i) * share, share] {
      sum = joined(child, share);
    });
  }
  int64_t sum = 0;
  for (std::size_t i = 0; i < children.size(); ++i) {
    children[i].join();
    sum += sums[i];
  }
  return sum;
}

double round_ms(bool join, int64_t leaves) {
  const bench::Stopwatch clock;
  int64_t sum = 0;
  if (join) {
    sum = joined(0, leaves);
  } else {
    Channel result;
    auto root = bench::spawn([&result, leaves] { over_channels(result, 0, leaves); });
    sum = result.value_pop();
    root.join();
  }
  const double elapsed = clock.milliseconds();
  if (sum != leaves * (leaves - 1) / 2) std::abort();
  return elapsed;
}

}  // namespace

int main(int argc, char** argv) {
  const bool join = argc > 1 && std::string(argv[1]) == "join";
  const std::string name = join ? "skynet_1m_join_" : "skynet_1m_";
  int64_t leaves = 1;
  while (leaves * kChildren <= bench::scaled(1'000'000)) leaves *= kChildren;
  bench::report(name + "cold", round_ms(join, leaves), "ms");
  round_ms(join, leaves);
  bench::report(name + "warm", round_ms(join, leaves), "ms");
}
