// all_shapes: runs a test body under every shape of the scheduler.
#pragma once

#include <degu/base/random.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace degu {

/// Runs `body` as the main goroutine with 1, 2 and 8 Ps, with and without stealing, in queue order and
/// shuffled by a seed that is printed when the test fails; DEGU_TEST_SEED repeats it.
template <class F>
void all_shapes(F body) {
  const char* fixed = std::getenv("DEGU_TEST_SEED");
  const uint64_t seed = fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : (random_u64() | 1);
  for (const int procs : {1, 2, 8}) {
    for (const bool steal : {true, false}) {
      for (const uint64_t shuffle : {uint64_t{0}, seed}) {
        SCOPED_TRACE("procs=" + std::to_string(procs) + " steal=" + std::to_string(steal) +
                     " repeat with DEGU_TEST_SEED=" + std::to_string(shuffle));
        run({.procs = procs, .steal = steal, .shuffle_seed = shuffle}, body);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace degu
