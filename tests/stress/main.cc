// Random traffic on the runtime for a long time, with checks that nothing is lost, doubled or left behind.
// usage: stress [SECONDS] [SEED] [WORKLOAD...]
//
// Each round of a few seconds runs a random choice of workloads under a scheduler of random shape. Between rounds
// everything is at rest: no goroutine, stack, descriptor or value may be left. A round that hangs is ended by SIGQUIT, so
// that all goroutines are printed. The seed repeats the choice of workloads and their parameters, not the interleaving.
#include <degu/degu.h>
#include <degu/rt/leaks.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "round.h"

namespace stress {
namespace {

using namespace std::chrono_literals;

constexpr int kRoundMs = 2000;
constexpr unsigned kHangSeconds = 120;  // beyond the round; far more than a loaded machine needs

struct Named {
  std::string_view name;
  Workload run;
};
const std::vector<Named> kWorkloads = {
    Named{"channels", &channels}, Named{"selects", &selects}, Named{"contexts", &contexts},
    Named{"timers", &timers},     Named{"locks", &locks},     Named{"spawns", &spawns},
    Named{"sockets", &sockets},
};

// For fail().
uint64_t current_seed = 0;  // of the whole run
int current_round = 0;
std::string current_traffic;

std::vector<Named> wanted = kWorkloads;

void on_alarm(int) { kill(getpid(), SIGQUIT); }

degu::RunOptions random_shape(Random& random) {
  constexpr int kProcs[] = {1, 2, 2, 4, 8};
  degu::RunOptions shape;
  shape.procs = kProcs[random.below(5)];
  shape.steal = !one_in(random, 5);
  shape.shuffle_seed = one_in(random, 3) ? random.next() | 1 : 0;
  return shape;
}

/// The body of a round, as its main goroutine.
void traffic(Round& round, Random& random) {
  const auto known = degu::rt::living_goroutines();
  {
    degu::WaitGroup running;
    const int count = between(random, 2, 6);
    for (int i = 0; i < count; ++i) {
      const Named& workload = wanted[random.below(static_cast<uint32_t>(wanted.size()))];
      current_traffic += fmt::format(" {}", workload.name);
      running.go([&round, run = workload.run, mine = Random(random.next())] { run(round, mine); });
    }
    running.wait();
  }
  const auto left = degu::rt::goroutines_left(known, std::chrono::seconds(kHangSeconds));
  check(left.count == 0, "{} goroutines are left:\n{}", left.count, left.text);
}

void run_round(uint64_t seed, int number, const degu::rt::Resources& before) {
  Random random(seed + static_cast<uint64_t>(number));
  Round round;
  round.seed = seed;
  const auto shape = random_shape(random);
  current_traffic = fmt::format("{} Ps{}{}:", shape.procs, shape.steal ? "" : ", no stealing",
                                shape.shuffle_seed != 0 ? ", shuffled" : "");
  alarm(kRoundMs / 1000 + kHangSeconds);
  degu::run(shape, [&] {
    round.end = degu::now() + std::chrono::milliseconds(between(random, kRoundMs / 4, kRoundMs));
    traffic(round, random);
  });
  alarm(0);
  const auto after = degu::rt::resources_in_use();
  check(after.stacks == before.stacks, "{} stacks in use, {} before", after.stacks, before.stacks);
  check(after.descriptors <= before.descriptors, "{} descriptors open, {} before", after.descriptors,
        before.descriptors);
  check(after.contexts <= before.contexts, "{} contexts alive, {} before", after.contexts, before.contexts);
  check(parcels_alive() == 0, "{} values of channels were not destroyed", parcels_alive());
  fmt::print("round {}: {}, {} operations\n", number, current_traffic, round.operations.load());
  std::fflush(stdout);
}

}  // namespace

void fail(const std::string& what) {
  fmt::print(stderr, "stress: FAILED in round {}: {}\nrepeat with: make stress STRESS_SEED={}\n",
             current_round, what, current_seed);
  std::fflush(nullptr);
  std::_Exit(1);
}

/// Runs the workloads with these names only.
void select_workloads(const std::vector<std::string_view>& names) {
  wanted.clear();
  for (const std::string_view name : names) {
    const auto found =
        std::find_if(kWorkloads.begin(), kWorkloads.end(), [&](const Named& w) { return w.name == name; });
    check(found != kWorkloads.end(), "no workload {}", name);
    wanted.push_back(*found);
  }
}

int run(std::chrono::seconds duration, uint64_t seed) {
  fmt::print("stress: {} s, STRESS_SEED={}\n", duration.count(), seed);
  std::fflush(stdout);
  struct sigaction action = {};
  action.sa_handler = &on_alarm;
  sigaction(SIGALRM, &action, nullptr);
  current_seed = seed;
  degu::run([] {});  // what the runtime takes once and keeps
  const auto before = degu::rt::resources_in_use();
  const auto end = degu::now() + duration;
  for (current_round = 1; degu::now() < end; ++current_round) run_round(seed, current_round, before);
  fmt::print("stress: {} rounds passed\n", current_round - 1);
  return 0;
}

}  // namespace stress

int main(int argc, char** argv) {
  const long seconds = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 600;
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  if (argc > 3) stress::select_workloads({argv + 3, argv + argc});
  return stress::run(std::chrono::seconds(seconds), seed != 0 ? seed : degu::random_u64());
}
