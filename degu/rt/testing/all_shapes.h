// all_shapes: runs a test body under every shape of the scheduler.
#pragma once

#include <degu/base/random.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/leak_check.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace degu {

/// Runs `body` as the main goroutine with 1, 2, 4 and 8 Ps, with and without stealing, in queue order and
/// shuffled by a seed that is printed when the test fails; DEGU_TEST_SEED repeats it. The test fails if it leaves
/// goroutines, stacks, descriptors or contexts behind.
template <class F>
void all_shapes(F body) {
  const char* fixed = std::getenv("DEGU_TEST_SEED");
  const uint64_t seed = fixed != nullptr ? std::strtoull(fixed, nullptr, 10) : (random_u64() | 1);
  for (const int procs : {1, 2, 4, 8}) {
    for (const bool steal : {true, false}) {
      for (const uint64_t shuffle : {uint64_t{0}, seed}) {
        const ResourceCheck resources;
        run({.procs = procs, .steal = steal, .shuffle_seed = shuffle}, [&body] {
          const LeakCheck goroutines;
          body();
        });
        if (::testing::Test::HasFailure()) {
          ADD_FAILURE() << "procs=" << procs << " steal=" << steal
                        << "; repeat with DEGU_TEST_SEED=" << shuffle;
          return;
        }
      }
    }
  }
}

}  // namespace degu
