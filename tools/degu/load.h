// run_load: users that send the requests of a scenario, and what came of it.
#pragma once

#include <degu/base/function.h>
#include <degu/net/tls.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "arrivals.h"
#include "recorder.h"
#include "scenario.h"
#include "target.h"

namespace degu::bench {

struct LoadOptions {
  Target target;
  int connections = 64;                  ///< each has one request under way, with HTTP/2 `streams`
  int streams = 1;                       ///< of HTTP/2: users of a connection; each waits for its answer
  std::chrono::nanoseconds duration{0};  ///< behind the warm-up; 0: until `requests` have been sent
  std::chrono::nanoseconds warmup{0};    ///< load, but what starts in it is not counted
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);  ///< for connecting, and for each answer
  uint64_t requests = 0;  ///< those of the warm-up included; 0: no limit
  double rate = 0;        ///< a second, over all users; 0: closed loop
  bool poisson = false;
  uint64_t seed = 1;
  net::TlsClientOptions tls;  ///< its ALPN offers what Target::http2 says
};

/// A piece of the measured time.
struct Interval {
  std::chrono::nanoseconds begin{0};  ///< since the end of the warm-up
  std::chrono::nanoseconds length{0};
  uint64_t requests = 0;
  uint64_t errors = 0;
  std::chrono::nanoseconds p50{0};
  std::chrono::nanoseconds p99{0};
  std::chrono::nanoseconds max{0};
};

struct LoadResult {
  Totals totals;
  std::vector<Interval> timeline;
  std::vector<std::string> first_errors;  ///< by ErrorKind
  std::chrono::nanoseconds measured{0};
  uint64_t never_started = 0;  ///< open loop: due before the end, but no user was free
  bool interrupted = false;
};

/// What is shown while it runs.
struct Progress {
  std::chrono::nanoseconds elapsed{0};  ///< since the beginning, warm-up included
  bool warming_up = false;
  Interval latest;
  uint64_t requests = 0;
  uint64_t errors = 0;
};

/// Runs the load and returns when it has ended: by time, by number, or since the context has ended (then
/// `interrupted`). `show` is called a few times a second by one goroutine. Throws Error(kInvalidArgument) when files of
/// the TLS options cannot be used. Errors of requests are counted, not thrown.
LoadResult run_load(const LoadOptions& options, const Scenario& scenario,
                    UniqueFunction<void(const Progress&)> show);

}  // namespace degu::bench
