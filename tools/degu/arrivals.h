// Arrivals: when the requests of a run are to start.
#pragma once

#include <degu/base/random.h>
#include <degu/base/time.h>
#include <degu/rt/lock.h>

#include <atomic>
#include <cstdint>
#include <optional>

namespace degu::bench {

struct ArrivalOptions {
  double rate = 0;       ///< a second; 0: closed loop, a request starts when its user is free
  bool poisson = false;  ///< exponential gaps with that mean, not equal ones
  uint64_t limit = 0;    ///< so many in all; 0: without end
  TimePoint end = kNever;
  uint64_t seed = 1;
};

/// Hands the starts to the users. Thread-safe; waits for nothing.
class Arrivals {
 public:
  Arrivals(const ArrivalOptions& options, TimePoint begin) noexcept
      : options_(options), begin_(begin), next_(begin), random_(options.seed) {}

  /// When the caller is to start a request: in the open loop the next moment of the plan, which may have passed, else
  /// now. Nothing: the run is over.
  std::optional<TimePoint> next() noexcept;
  /// Starts of the plan before `until` that nobody has taken: requests that never started, since no user was free.
  uint64_t overdue(TimePoint until) noexcept;
  bool open_loop() const noexcept { return options_.rate > 0; }

 private:
  std::optional<TimePoint> take_planned() noexcept;

  const ArrivalOptions options_;
  const TimePoint begin_;
  std::atomic<uint64_t> taken_{0};  // of the closed loop; nothing is published through it
  rt::Lock lock_;                   // guards what follows
  TimePoint next_;
  uint64_t planned_ = 0;
  Random random_;
};

}  // namespace degu::bench
