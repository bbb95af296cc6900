// World: what degu/sim puts between goroutines and the rest of the machine. There are two: a simulation, which has a
// scheduler for itself (SimScheduler), and a bubble, some goroutines of a scheduler that have a clock of their own.
// Each goroutine knows its world, G::world, and hands it on to those that it starts.
#pragma once

#include <degu/base/function.h>
#include <degu/base/random.h>
#include <degu/base/time.h>
#include <degu/rt/park.h>

#include <cstdint>
#include <string_view>

namespace degu::rt {

struct M;
struct P;

class World {
 public:
  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  virtual ~World() = default;

  virtual TimePoint now() noexcept = 0;

  /// g, not queued yet, will run `body` here. The world may wrap it.
  virtual void started(G& g, UniqueFunction<void()>& body) = 0;

  // Bubbles: a goroutine of it that durable() said yes to is off its stack, is made runnable. Any thread.
  virtual void blocked() noexcept {}
  virtual void unblocked() noexcept {}
  /// Can only this world end that wait? Asked by the goroutine before it parks.
  virtual bool durable(G& g, WaitReason reason) noexcept {
    static_cast<void>(g);
    static_cast<void>(reason);
    return false;
  }
  /// Where timers go; null: to the goroutine's P.
  virtual P* timers() noexcept { return nullptr; }

  // Simulations.
  virtual void point() noexcept {}
  virtual Random* timer_order() noexcept { return nullptr; }
  virtual bool random(uint64_t& out) noexcept {
    static_cast<void>(out);
    return false;
  }
  virtual bool fault(std::string_view point) noexcept {
    static_cast<void>(point);
    return false;
  }
};

/// A simulation: decides what runs next, and what time it is.
class SimScheduler : public World {
 public:
  /// g can run now.
  virtual void add(G* g, uint64_t id) = 0;
  /// The next to run; null: none that may run before the next timer.
  virtual G* choose() noexcept = 0;
  /// Nothing can run before `when`, the earliest timer.
  virtual void advance(TimePoint when) noexcept = 0;
  /// Nothing can ever run again: the run ends.
  virtual void deadlock() noexcept = 0;
  /// A call that blocks the thread is about to be made.
  virtual void blocking() noexcept = 0;
};

/// The world counts as existing between the two. Thread-safe.
void add_world() noexcept;
void remove_world() noexcept;

/// The clock of the caller's scheduler and its own timers: not that of a bubble.
TimePoint scheduler_now() noexcept;

/// The caller's, or null.
World* current_world() noexcept;
void set_current_world(World* world) noexcept;
/// The caller's simulation, or null.
SimScheduler* current_simulation() noexcept;

// Where the runtime asks a world.
G* sim_next(M& m, SimScheduler& sim) noexcept;  // null when the scheduler stops
bool sim_enter_blocking(G& g) noexcept;         // true: the call runs inline
/// Brings the first timers of a heap, if several are due at the same time, into a random order.
void shuffle_first_timers(P& p, Random& random) noexcept;
/// Queued goroutines of the caller's simulation that it has not heard of yet go to add().
void sim_collect(SimScheduler& sim) noexcept;

}  // namespace degu::rt
