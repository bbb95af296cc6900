// Round: what the workloads of the stress program share.
#pragma once

#include <degu/base/random.h>
#include <degu/base/time.h>
#include <fmt/core.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

namespace stress {

using degu::Random;

/// A few seconds of traffic under one scheduler. Workloads go on until over() and then leave nothing behind.
struct Round {
  uint64_t seed = 0;
  degu::TimePoint end = degu::kNever;
  std::atomic<uint64_t> operations = 0;  // of all workloads, to show that they get on

  bool over() const noexcept { return degu::now() >= end; }
};

/// One kind of traffic with checks of its own. Runs in a goroutine; ends soon after the round is over.
using Workload = void (*)(Round& round, Random random);

void channels(Round& round, Random random);
void selects(Round& round, Random random);
void contexts(Round& round, Random random);
void timers(Round& round, Random random);
void locks(Round& round, Random random);
void spawns(Round& round, Random random);
void sockets(Round& round, Random random);

/// Values of channels() that exist; 0 between rounds.
int64_t parcels_alive() noexcept;

/// Says what is wrong and how to repeat the round, and ends the process.
[[noreturn]] void fail(const std::string& what);

template <class... Args>
void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(fmt::format(format, std::forward<Args>(args)...));
}

/// Uniform in [least, most].
inline int between(Random& random, int least, int most) noexcept {
  return least + static_cast<int>(random.below(static_cast<uint32_t>(most - least + 1)));
}
/// True once in `n` times.
inline bool one_in(Random& random, uint32_t n) noexcept { return random.below(n) == 0; }

}  // namespace stress
