// Pattern: the small, linear pattern language of (degu.pattern). Standard library only: the generator checks
// patterns with this code, too.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::rpc::validation {

/// A sequence of characters, "." and [classes] ([a-z_], [^@]), each with an optional ?, *, +, {n}, {m,n} or
/// {m,}. A backslash takes the next character as it is. No groups and no alternatives. Matches whole texts,
/// by code point, in time text x pattern whatever the text: the states of all ways to match advance together.
/// Immutable, so safe to share.
class Pattern {
 public:
  /// Throws std::invalid_argument that says what is wrong.
  explicit Pattern(std::string_view pattern);

  /// Does all of `text` (UTF-8) match? Invalid UTF-8 does not.
  bool matches(std::string_view text) const;

 private:
  struct Atom {
    std::vector<std::pair<char32_t, char32_t>> ranges;
    bool negated = false;
    bool contains(char32_t c) const;
  };
  struct State {
    size_t atom;
    bool optional;  // may be passed over
    bool repeats;   // may match again
  };

  class Parser;
  static constexpr size_t kMaxStates = 512;

  std::vector<Atom> atoms_;
  std::vector<State> states_;
};

/// "" or what is wrong with a pattern.
std::string pattern_fault(std::string_view pattern);

}  // namespace degu::rpc::validation
