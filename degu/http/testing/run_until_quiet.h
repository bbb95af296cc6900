// run_until_quiet: degu::run for tests whose goroutines end by themselves.
#pragma once

#include <degu/rt/run.h>

#include <chrono>
#include <cstddef>

namespace degu::testing {

/// Runs `body`, and then waits until the goroutines that it left have ended: those of a client's connections outlive the
/// client by a moment, and what abandoned ones hold is lost memory for a sanitizer.
template <class F>
void run_until_quiet(F body) {
  run([&] {
    const std::size_t before = num_goroutines();
    body();
    while (num_goroutines() > before) sleep(std::chrono::milliseconds(1));
  });
}

}  // namespace degu::testing
