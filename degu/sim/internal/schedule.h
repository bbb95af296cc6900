// Chooser: which goroutine runs next, by seed.
#pragma once

#include <degu/base/random.h>
#include <degu/rt/park.h>
#include <degu/sim/sim.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace degu::sim::internal {

class Chooser {
 public:
  explicit Chooser(const Options& options);

  /// g can run. Goroutines are kept by id, so that the choice does not depend on the runtime's queues.
  void add(rt::G* g, uint64_t id);
  bool empty() const noexcept { return runnable_.empty(); }

  /// Takes the next one out; not empty.
  rt::G* take();
  uint64_t running() const noexcept { return running_; }

  /// The running one is at a point: should take() be asked? Not if it would be chosen again.
  bool interrupt();
  /// The running one has ended.
  void ended(uint64_t id);

 private:
  struct Entry {
    uint64_t id;
    rt::G* g;
  };

  uint64_t& priority(uint64_t id);
  std::size_t highest();
  void lower(uint64_t id);
  bool above_running();

  Random random_;
  Schedule schedule_;
  uint32_t interrupt_one_in_ = 2;    // kRandomWalk
  std::vector<uint64_t> change_at_;  // kPriorities: steps, the next one last
  std::unordered_map<uint64_t, uint64_t> priorities_;
  uint64_t lowest_ = UINT64_MAX / 2;  // priorities that have fallen count down from here
  std::vector<Entry> runnable_;       // by id
  uint64_t running_ = 0;
  uint64_t step_ = 0;
  bool interrupted_ = false;
};

}  // namespace degu::sim::internal
