#include <degu/rt/race_point.h>

#ifdef DEGU_RACE_POINTS
#include <degu/base/random.h>
#include <sched.h>

#include <atomic>

namespace degu::rt {
namespace {
std::atomic<uint64_t> race_seed{0};
std::atomic<uint64_t> race_step{0};
}  // namespace

void seed_race_points(uint64_t seed) noexcept {
  race_step.store(0, std::memory_order_relaxed);
  race_seed.store(seed, std::memory_order_relaxed);
}

void race_point() noexcept {
  const uint64_t seed = race_seed.load(std::memory_order_relaxed);
  if (seed == 0) return;
  Random random(seed ^ (race_step.fetch_add(1, std::memory_order_relaxed) * 0x9e3779b97f4a7c15ULL));
  const uint32_t choice = random.below(16);
  if (choice == 0) {
    ::sched_yield();
  } else if (choice <= 3) {
    for (uint32_t i = random.below(200); i != 0; --i) asm volatile("" ::: "memory");
  }
}

}  // namespace degu::rt
#endif
