#include <degu/rt/internal/sched.h>
#include <degu/rt/run.h>
#include <degu/sim/internal/sim_network.h>
#include <degu/sim/internal/simulation.h>
#include <degu/sim/sim.h>
#include <fmt/format.h>

#include <cstdlib>
#include <optional>

namespace degu::sim {
namespace {

std::optional<uint64_t> number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return std::nullopt;
  char* end = nullptr;
  const uint64_t value = std::strtoull(text, &end, 0);
  if (*end != '\0') throw Error(Code::kInvalidArgument, fmt::format("{}={} is not a number", name, text));
  return value;
}

net::internal::Network* network_of_caller() noexcept {
  rt::SimScheduler* sim = rt::current_simulation();
  return sim == nullptr ? nullptr : &static_cast<internal::Simulation*>(sim)->network();
}

// One simulation at a time: it needs the process's one scheduler.
struct Existing {
  Existing() {
    rt::add_world();
    net::internal::network_hook.store(&network_of_caller, std::memory_order_relaxed);
  }
  ~Existing() {
    net::internal::network_hook.store(nullptr, std::memory_order_relaxed);
    rt::remove_world();
  }
  Existing(const Existing&) = delete;
  Existing& operator=(const Existing&) = delete;
};

}  // namespace

std::string Result::report() const {
  if (ok()) {
    return fmt::format("seed {}: passed, {} steps, {} s of virtual time, hash {:016x}", seed, steps,
                       std::chrono::duration<double>(elapsed).count(), hash);
  }
  return fmt::format(
      "seed {} fails (run {}, {} steps, {} s of virtual time, hash {:016x}); repeat it with\n"
      "  DEGU_SIM_SEED={} make test-sim\n{}",
      seed, runs, steps, std::chrono::duration<double>(elapsed).count(), hash, seed, failure);
}

Result run(const Options& options, UniqueFunction<void()> body) {
  if (rt::this_m() != nullptr || rt::default_scheduler() != nullptr) {
    throw Error(Code::kFailedPrecondition,
                "a simulation needs a scheduler of its own: call sim::run outside of degu::run");
  }
  Result result;
  result.runs = 1;
  const Existing existing;
  internal::Simulation simulation(options);
  std::exception_ptr thrown;
  try {
    degu::run({.procs = 1,
               .steal = false,
               .shuffle_seed = options.seed | 1,
               .deadlock_report = false,
               .sim = &simulation},
              [&body] { body(); });
  } catch (const std::exception& e) {
    thrown = std::current_exception();
    simulation.report(result);
    if (result.failure.empty()) result.failure = e.what();
  } catch (...) {
    thrown = std::current_exception();
    simulation.report(result);
    if (result.failure.empty()) result.failure = "an exception that is no std::exception";
  }
  if (thrown == nullptr) simulation.report(result);
  if (result.error == nullptr) result.error = thrown;
  return result;
}

Result search(const Options& options, UniqueFunction<void()> body) {
  Options one = options;
  int seeds = options.seeds;
  if (options.environment) {
    if (const auto count = number_in_environment("DEGU_SIM_SEEDS"); count) seeds = static_cast<int>(*count);
    if (const auto seed = number_in_environment("DEGU_SIM_SEED"); seed) {
      one.seed = *seed;
      seeds = 1;
    }
  }
  Result result;
  for (int i = 0; i < seeds; ++i, ++one.seed) {
    result = run(one, [&body] { body(); });
    result.runs = i + 1;
    if (!result.ok()) break;
  }
  return result;
}

void expect(bool holds, std::string_view what) {
  if (!holds) throw Error(Code::kInternal, std::string(what));
}

}  // namespace degu::sim
