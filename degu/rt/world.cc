// Where the runtime asks the world of the running goroutine. All of it is off the hot paths: nothing here runs while
// no simulation and no bubble exists.
#include <degu/base/assert.h>
#include <degu/base/error.h>
#include <degu/base/fault_point.h>
#include <degu/base/random.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/internal/world.h>
#include <degu/rt/sim_point.h>

#include <mutex>

namespace degu::rt {
namespace {

// Of the one simulation that may run: by its one thread.
int points_held = 0;

struct Worlds {
  std::mutex mutex;
  int count = 0;
};

Worlds& worlds() noexcept {
  static auto* w = new Worlds;
  return *w;
}

TimePoint world_clock() noexcept {
  World* world = current_world();
  return world != nullptr ? world->now() : real_now();
}

// Virtual clocks count from 1970.
std::chrono::system_clock::time_point world_wall_clock() noexcept {
  using Wall = std::chrono::system_clock;
  World* world = current_world();
  if (world == nullptr) return Wall::now();
  return Wall::time_point(std::chrono::duration_cast<Wall::duration>(world->now().time_since_epoch()));
}

bool world_random(uint64_t& out) noexcept {
  SimScheduler* sim = current_simulation();
  return sim != nullptr && sim->random(out);
}

bool world_fault(std::string_view point) noexcept {
  World* world = current_world();
  return world != nullptr && world->fault(point);
}

}  // namespace

TimePoint scheduler_now() noexcept {
  if (base_internal::clock_hook.load(std::memory_order_relaxed) == nullptr) [[likely]]
    return real_now();
  SimScheduler* sim = current_simulation();
  return sim != nullptr ? sim->now() : real_now();
}

void add_world() noexcept {
  const std::lock_guard guard(worlds().mutex);
  if (worlds().count++ != 0) return;
  base_internal::clock_hook.store(&world_clock, std::memory_order_relaxed);
  base_internal::wall_hook.store(&world_wall_clock, std::memory_order_relaxed);
  base_internal::random_hook.store(&world_random, std::memory_order_relaxed);
  base_internal::fault_hook.store(&world_fault, std::memory_order_relaxed);
  internal::worlds_exist.store(true, std::memory_order_relaxed);
}

void remove_world() noexcept {
  const std::lock_guard guard(worlds().mutex);
  if (--worlds().count != 0) return;
  internal::worlds_exist.store(false, std::memory_order_relaxed);
  base_internal::fault_hook.store(nullptr, std::memory_order_relaxed);
  base_internal::random_hook.store(nullptr, std::memory_order_relaxed);
  base_internal::wall_hook.store(nullptr, std::memory_order_relaxed);
  base_internal::clock_hook.store(nullptr, std::memory_order_relaxed);
}

// Where no goroutine runs, timers fire: a simulation's are its own.
World* current_world() noexcept {
  const M* m = this_m();
  if (m == nullptr) return nullptr;
  return m->g != nullptr ? m->g->world : m->sched->options.sim;
}

void set_current_world(World* world) noexcept { this_m()->g->world = world; }

SimScheduler* current_simulation() noexcept {
  const M* m = this_m();
  return m != nullptr ? m->sched->options.sim : nullptr;
}

const World* home_of_new_objects() noexcept {
  if (!internal::worlds_exist.load(std::memory_order_relaxed)) [[likely]]
    return nullptr;
  return current_world();
}

void internal::sim_point_slow() noexcept {
  const M* m = this_m();
  if (m == nullptr || m->g == nullptr || m->g->world == nullptr) return;
  m->g->outside = false;
  if (points_held == 0) m->g->world->point();
}

internal::HeldPoints::HeldPoints() noexcept : counted_(current_simulation() != nullptr) {
  if (counted_) ++points_held;
}
internal::HeldPoints::~HeldPoints() {
  if (counted_) --points_held;
}

void internal::sim_also_slow(const World* home) {
  const World* world = current_world();
  if (home != nullptr && home != world) {
    throw Error(Code::kFailedPrecondition,
                "a channel that was made in a bubble or a simulation is used outside of it");
  }
  if (home != world && this_m()->g != nullptr) this_m()->g->outside = true;
}

bool sim_enter_blocking(G& g) noexcept {
  SimScheduler* sim = g.sched.load(std::memory_order_relaxed)->options.sim;
  if (sim == nullptr) return false;
  sim->blocking();
  return true;
}

void sim_collect(SimScheduler& sim) noexcept {
  while (G* g = take_any(*this_m()->p)) sim.add(g, g->id);
}

void shuffle_first_timers(P& p, Random& random) noexcept {
  const std::lock_guard guard(p.timer_lock);
  settle_timers(p);
  if (p.timers.empty()) return;
  const int64_t first = p.timers.front().when_ns;
  // Entries of the same time may change places: the heap stays one.
  std::vector<uint32_t> equal;
  for (uint32_t i = 0; i < p.timers.size(); ++i) {
    if (p.timers[i].when_ns == first) equal.push_back(i);
  }
  for (auto left = static_cast<uint32_t>(equal.size()); left > 1; --left) {
    TimerEntry& a = p.timers[equal[left - 1]];
    TimerEntry& b = p.timers[equal[random.below(left)]];
    std::swap(a.timer, b.timer);
    std::swap(a.timer->index, b.timer->index);
  }
}

G* sim_next(M& m, SimScheduler& sim) noexcept {
  Scheduler& sched = *m.sched;
  while (!sched.stopping.load(std::memory_order_relaxed)) {
    sim_collect(sim);
    if (G* g = sim.choose(); g != nullptr) return g;
    const int64_t next = m.p->next_timer.load(std::memory_order_relaxed);
    if (next == kNoTimer) {
      sim.deadlock();
      stop_scheduler(sched);
      return nullptr;
    }
    sim.advance(TimePoint(std::chrono::nanoseconds(next)));
    if (Random* random = sim.timer_order(); random != nullptr) shuffle_first_timers(*m.p, *random);
    run_timers(*m.p, clock_ns());
  }
  return nullptr;
}

}  // namespace degu::rt
