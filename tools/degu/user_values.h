// UserValues: what one user of a scenario knows, and chooses.
#pragma once

#include <degu/base/random.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario.h"

namespace degu::bench {

class Recorder;

/// Belongs to one goroutine.
class UserValues {
 public:
  UserValues(const Scenario& scenario, uint64_t seed);

  /// The request that is next, by weight.
  std::size_t pick() noexcept { return scenario_->pick(random_); }
  /// A request whose answer has to come first, since `request` needs a value of it that there is not yet.
  std::optional<std::size_t> missing(std::size_t request) const noexcept;
  /// The values of all variables, those that `request` draws drawn anew. Nothing may be missing. Valid until the next call.
  const std::vector<std::string>& draw(std::size_t request);
  /// Takes what the answer to `request` gives. Tells `recorder`, unless null, of each value that it does not have.
  void take(std::size_t request, std::string_view body, Recorder* recorder);

 private:
  const Scenario* scenario_;
  Random random_;
  std::vector<std::string> values_;  // of the variables
  std::vector<bool> known_;          // those of answers: there has been one
};

}  // namespace degu::bench
