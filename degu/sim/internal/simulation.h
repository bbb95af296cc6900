// Simulation: one run. The world of all its goroutines, and their scheduler.
#pragma once

#include <degu/base/random.h>
#include <degu/rt/internal/world.h>
#include <degu/sim/internal/schedule.h>
#include <degu/sim/sim.h>

#include <exception>
#include <memory>
#include <string>
#include <unordered_map>

namespace degu::sim::internal {

class SimNetwork;

/// What an event of the log is about.
enum class Event : uint8_t { kRun, kTime, kFault, kNetwork };

class Simulation final : public rt::SimScheduler {
 public:
  explicit Simulation(const Options& options);
  ~Simulation() override;

  TimePoint now() noexcept override { return now_; }
  void started(rt::G& g, UniqueFunction<void()>& body) override;
  void point() noexcept override;
  Random* timer_order() noexcept override { return &timers_; }
  bool random(uint64_t& out) noexcept override;
  bool fault(std::string_view point) noexcept override;
  void add(rt::G* g, uint64_t id) override { chooser_.add(g, id); }
  rt::G* choose() noexcept override;
  void advance(TimePoint when) noexcept override;
  void deadlock() noexcept override;
  void blocking() noexcept override;

  /// The run fails; the first failure counts. The caller may go on until its next point.
  void fail(std::exception_ptr error) noexcept;
  void fail(std::string what) noexcept;
  /// Adds to the hash.
  void log(Event event, uint64_t a, uint64_t b = 0) noexcept;
  /// Leaves what is known in `result`.
  void report(Result& result) const;

  SimNetwork& network() noexcept { return *network_; }
  /// The host that the calling goroutine runs on.
  uint32_t host() const noexcept;
  void set_host(uint32_t host) noexcept;

 private:
  void run_body(uint32_t host, UniqueFunction<void()>& body) noexcept;
  void stop() noexcept;

  const Options options_;
  Chooser chooser_;
  Random randoms_;  // one a purpose: what the program draws does not change the schedule
  Random faults_;
  Random timers_;
  Random delays_;
  TimePoint now_;
  uint64_t steps_ = 0;
  uint64_t hash_ = 0;
  uint64_t last_id_ = 0;
  bool failed_ = false;
  std::string failure_;
  std::exception_ptr error_;
  std::unordered_map<const rt::G*, uint32_t> hosts_;
  std::unique_ptr<SimNetwork> network_;
};

/// The caller's; throws Error(kFailedPrecondition) outside of a simulation.
Simulation& current_run();

}  // namespace degu::sim::internal
