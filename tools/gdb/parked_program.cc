// A program to look into: a few goroutines that wait in known places. Says "ready" when they do, and stays.
#include <degu/rt/dump.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace {

using namespace std::chrono_literals;

[[gnu::noinline]] void wait_in_the_kitchen(degu::Chan<int>& channel) {
  static_cast<void>(channel.recv());
  asm volatile("");
}

[[gnu::noinline]] void sleep_in_the_attic() {
  degu::sleep(1h);
  asm volatile("");
}

bool both_wait() {
  const auto all = degu::rt::goroutines();
  return std::count_if(all.begin(), all.end(), [](const auto& g) {
           return g.state == degu::rt::GoroutineState::kWaiting && !g.stack.empty();
         }) == 2;
}

}  // namespace

int main() {
  return degu::run({.procs = 2}, [] {
    auto channel = degu::make_chan<int>(0);
    degu::go({.name = "cook"}, [&] { wait_in_the_kitchen(channel); });
    degu::go({.name = "guest"}, [] { sleep_in_the_attic(); });
    while (!both_wait()) degu::yield();
    fmt::print("ready\n");
    std::fflush(stdout);
    degu::sleep(1h);
  });
}
