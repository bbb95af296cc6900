// Scenario: the requests of a run, how often each is sent, and where their values come from.
#pragma once

#include <degu/base/random.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "request_template.h"
#include "target.h"

namespace degu::bench {

/// Where the values of ${name} come from.
struct Variable {
  enum class Source : uint8_t { kList, kRange, kHex, kResponse };
  Source source = Source::kList;
  bool in_order = false;          ///< of a list or range: one after another, over all users; else at random
  std::vector<std::string> list;  ///< kList
  int64_t first = 0;              ///< kRange: both ends included
  int64_t last = 0;
  std::size_t digits = 0;   ///< kHex: random hexadecimal digits
  std::size_t request = 0;  ///< kResponse: of the user's latest answer to this request
  std::string pointer;      ///< kResponse: a JSON pointer (RFC 6901)
};

struct ScenarioRequest {
  std::string name;
  uint32_t weight = 1;
  std::chrono::nanoseconds think{0};  ///< that a user waits after it
  RequestTemplate request;
  std::vector<std::size_t> gives;  ///< the variables that its answer is read for
};

/// Read once; then shared by all users.
class Scenario {
 public:
  /// One request only.
  static Scenario single(const RequestText& text, const Target& target);
  /// From JSON (README.md). Throws Error(kInvalidArgument) with the line of a fault of syntax, or with the path of every
  /// other.
  static Scenario parse(std::string_view json, const Target& target);

  const std::vector<ScenarioRequest>& requests() const noexcept { return requests_; }
  const std::vector<Variable>& variables() const noexcept { return variables_; }
  bool thinks() const noexcept;
  /// A request, by weight.
  std::size_t pick(Random& random) const noexcept;
  /// A new value for a variable that is not of kResponse. Thread-safe.
  void draw(std::size_t variable, Random& random, std::string& out) const;

 private:
  friend class ScenarioReader;

  std::vector<ScenarioRequest> requests_;
  std::vector<Variable> variables_;
  std::unique_ptr<std::atomic<uint64_t>[]>
      next_;  // of each variable in order; nothing is published through it
  uint32_t total_weight_ = 0;
};

/// The text of what a JSON pointer leads to in `json`; a string without its quotes. False when there is nothing, or an
/// object or an array, or the text is no JSON.
bool find_by_pointer(std::string_view json, std::string_view pointer, std::string& out);

}  // namespace degu::bench
