// Shared: what the users of a run share.
#pragma once

#include <degu/base/time.h>
#include <degu/net/tls.h>

#include "arrivals.h"
#include "load.h"
#include "recorder.h"
#include "scenario.h"

namespace degu::bench {

/// They only read it, but for the recorder and the arrivals, which are thread-safe.
struct Shared {
  const LoadOptions& options;
  const Scenario& scenario;
  const net::TlsClient* tls = nullptr;  ///< null: plain
  Arrivals& arrivals;
  Recorder& recorder;
  TimePoint measure_from;
};

/// Between attempts to connect to a server that is down, or answers nothing: it is not to be hammered.
inline constexpr std::chrono::milliseconds kRefusedPause{10};

}  // namespace degu::bench
