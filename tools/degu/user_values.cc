#include "user_values.h"

#include "recorder.h"

namespace degu::bench {

UserValues::UserValues(const Scenario& scenario, uint64_t seed)
    : scenario_(&scenario),
      random_(seed),
      values_(scenario.variables().size()),
      known_(scenario.variables().size()) {}

std::optional<std::size_t> UserValues::missing(std::size_t request) const noexcept {
  for (const std::size_t need : scenario_->requests()[request].request.needs()) {
    const Variable& variable = scenario_->variables()[need];
    if (variable.source == Variable::Source::kResponse && !known_[need]) return variable.request;
  }
  return std::nullopt;
}

const std::vector<std::string>& UserValues::draw(std::size_t request) {
  for (const std::size_t need : scenario_->requests()[request].request.needs()) {
    if (scenario_->variables()[need].source != Variable::Source::kResponse)
      scenario_->draw(need, random_, values_[need]);
  }
  return values_;
}

void UserValues::take(std::size_t request, std::string_view body, Recorder* recorder) {
  const ScenarioRequest& what = scenario_->requests()[request];
  for (const std::size_t variable : what.gives) {
    const std::string& pointer = scenario_->variables()[variable].pointer;
    known_[variable] = find_by_pointer(body, pointer, values_[variable]);
    if (known_[variable] || recorder == nullptr) continue;
    recorder->failure(request, ErrorKind::kExtract,
                      "the answer to " + what.name + " has no value at \"" + pointer + "\"");
  }
}

}  // namespace degu::bench
