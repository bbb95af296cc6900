// sim: runs goroutines in a world where everything that is left to chance comes from one number, the seed: which of
// them runs next, when timers fire, what select takes, what random_u64() says, what the network does. Code under
// test is not changed. A run that fails is repeated exactly by its seed.
//
//   const sim::Result result = sim::search({.seeds = 1000}, [] {
//     Account account(100);
//     degu::WaitGroup wg;
//     for (int i = 0; i < 2; ++i) wg.go([&] { account.withdraw(80); });
//     wg.wait();
//     sim::expect(account.balance() >= 0, "the account is overdrawn");
//   });
//   EXPECT_TRUE(result.ok()) << result.report();   // ... repeat it with: DEGU_SIM_SEED=17 make test-sim
#pragma once

#include <degu/base/error.h>
#include <degu/base/function.h>
#include <degu/sim/network.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace degu::sim {

/// How the next goroutine is chosen. Wherever a goroutine calls a primitive (channel, select, lock, group, network,
/// yield) another one may be let in first; between two such calls it runs undisturbed.
enum class Schedule : uint8_t {
  /// One of the others, by seed. No single one finds every bug soonest.
  kMixed,
  /// Any that can run, all alike; how often one is interrupted is drawn once per run.
  kRandomWalk,
  /// Each has a random priority, the highest runs; at few random moments the running one falls to the lowest. Finds a
  /// bug that needs d orderings with probability 1/(n k^(d-1)), n goroutines, k steps. After S. Burckhardt et al., "A
  /// Randomized Scheduler with Probabilistic Guarantees of Finding Bugs" (PCT), ASPLOS 2010.
  kPriorities,
  /// Each call draws a random priority, the highest goes first: orders of events that depend on each other come about
  /// as often as others. After X. Yuan, J. Yang, R. Gu, "Partial Order Aware Concurrency Sampling", CAV 2018.
  kPartialOrder,
};

/// How often a DEGU_FAULT_POINT fails. `point` may end in '*'; the first plan that fits counts. The points of Degu itself:
/// "net.…" in network.h, "file.…" in degu/net/file.h, "blocking.stall".
struct Fault {
  std::string point;
  double probability = 0;
};

struct Options {
  uint64_t seed = 1;
  int seeds = 100;  ///< search(): as many from `seed` on; the environment's DEGU_SIM_SEEDS goes before
  Schedule schedule = Schedule::kMixed;
  int change_points = 3;           ///< kPriorities: how often a priority falls, at most
  uint64_t max_steps = 1'000'000;  ///< more calls of primitives are an endless loop: the run fails
  std::vector<Fault> faults = {};
  /// degu::blocking() takes a random time up to this; the fault "blocking.stall" adds 1 to 30 s
  std::chrono::nanoseconds blocking_delay{0};
  NetworkOptions network = {};
  bool environment = true;  ///< search(): DEGU_SIM_SEED and DEGU_SIM_SEEDS count
};

/// What became of a run, or of a search: then of its last run.
struct Result {
  uint64_t seed = 0;
  uint64_t hash = 0;                    ///< of all that happened: equal for two runs of one seed
  uint64_t steps = 0;                   ///< calls of primitives
  std::chrono::nanoseconds elapsed{0};  ///< virtual time
  int runs = 0;
  std::string failure;       ///< empty if there was none
  std::exception_ptr error;  ///< what the body, or a goroutine, threw

  bool ok() const noexcept { return failure.empty(); }
  /// Seed, failure and the command that repeats it; a line if there was none.
  std::string report() const;
};

/// Runs `body` as the main goroutine of a simulation, on one thread of its own, and returns when it has returned or
/// the run has failed: an exception left the body or a goroutine, all goroutines wait and no timer is armed
/// (`failure` has them all), or max_steps. Goroutines that are left then never run again, as with degu::run. The clock
/// starts at the same instant every time and moves, to the next timer, when no goroutine can run. Real descriptors
/// and threads have no place in it: sockets and pipes are those of the simulated network, descriptors from elsewhere and
/// child processes fail with kFailedPrecondition, signals do not come. Files are real: a run that uses them repeats if
/// they are the same when it starts. Throws Error(kFailedPrecondition) when called in a goroutine or while a scheduler runs.
Result run(const Options& options, UniqueFunction<void()> body);

/// Runs seeds from options.seed on until one fails or all have passed. DEGU_SIM_SEED=n in the environment: only that
/// one.
Result search(const Options& options, UniqueFunction<void()> body);

/// Throws Error(kInternal) with `what` unless `holds`: fails the run.
void expect(bool holds, std::string_view what);

}  // namespace degu::sim
