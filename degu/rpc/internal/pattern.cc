#include <degu/rpc/internal/pattern.h>

#include <bitset>
#include <optional>
#include <stdexcept>

namespace degu::rpc::validation {
namespace {

// The next code point of valid UTF-8, or nothing. Overlong forms need no check: text that came in as JSON or
// as a query has been checked, and a pattern comes from the program.
std::optional<char32_t> next_code_point(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const size_t length = first < 0x80                    ? 1
                        : first >= 0xf0 && first < 0xf8 ? 4
                        : first >= 0xe0                 ? 3
                        : first >= 0xc0                 ? 2
                                                        : 0;
  if (length == 0 || first >= 0xf8 || text.size() < length) return std::nullopt;
  char32_t c = length == 1 ? first : first & (0xffU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return std::nullopt;
    c = c << 6 | (byte & 0x3fU);
  }
  text.remove_prefix(length);
  return c;
}

}  // namespace

class Pattern::Parser {
 public:
  Parser(std::string_view text, Pattern& out) : text_(text), out_(out) {}

  void run() {
    while (!text_.empty()) {
      out_.atoms_.push_back(atom());
      quantifier(out_.atoms_.size() - 1);
    }
  }

 private:
  char32_t take() {
    if (text_.empty()) throw std::invalid_argument("the pattern ends too early");
    const auto c = next_code_point(text_);
    if (!c) throw std::invalid_argument("the pattern is not UTF-8");
    return *c;
  }

  Atom atom() {
    const char32_t c = take();
    switch (c) {
      case U'[':
        return char_class();
      case U'.':
        return Atom{{}, true};
      case U'\\': {
        const char32_t literal = take();
        return Atom{{{literal, literal}}, false};
      }
      case U'(':
      case U')':
      case U'|':
      case U'^':
      case U'$':
      case U'*':
      case U'+':
      case U'?':
      case U'{':
        throw std::invalid_argument(
            "a special character needs a backslash; groups, alternatives and anchors do not exist");
      default:
        return Atom{{{c, c}}, false};
    }
  }

  Atom char_class() {
    Atom atom;
    if (text_.starts_with('^')) {
      take();
      atom.negated = true;
    }
    while (!text_.starts_with(']')) {
      char32_t low = take();
      if (low == U'\\') low = take();
      char32_t high = low;
      if (text_.size() > 1 && text_[0] == '-' && text_[1] != ']') {
        take();
        high = take();
        if (high == U'\\') high = take();
      }
      if (high < low) throw std::invalid_argument("a range of a class runs backwards");
      atom.ranges.push_back({low, high});
    }
    take();
    if (atom.ranges.empty()) throw std::invalid_argument("a class is empty");
    return atom;
  }

  size_t count() {
    if (text_.empty() || text_.front() < '0' || text_.front() > '9')
      throw std::invalid_argument("a count is missing in {}");
    size_t value = 0;
    while (!text_.empty() && text_.front() >= '0' && text_.front() <= '9') {
      value = value * 10 + static_cast<size_t>(text_.front() - '0');
      if (value > kMaxStates) throw std::invalid_argument("a count in {} is over 512");
      text_.remove_prefix(1);
    }
    return value;
  }

  void quantifier(size_t atom) {
    const char next = text_.empty() ? '\0' : text_.front();
    if (next == '?' || next == '*' || next == '+' || next == '{') text_.remove_prefix(1);
    if (next == '{') return counted(atom);
    if (next == '+') add(atom, 1, false, false);
    add(atom, 1, next == '?' || next == '*' || next == '+', next == '*' || next == '+');
  }

  void counted(size_t atom) {
    const size_t low = count();
    add(atom, low, false, false);
    if (text_.starts_with(',')) {
      text_.remove_prefix(1);
      if (text_.starts_with('}')) {
        add(atom, 1, true, true);
      } else {
        const size_t high = count();
        if (high < low) throw std::invalid_argument("a count in {} runs backwards");
        add(atom, high - low, true, false);
      }
    }
    if (!text_.starts_with('}')) throw std::invalid_argument("a { has no }");
    text_.remove_prefix(1);
  }

  void add(size_t atom, size_t count, bool optional, bool repeats) {
    for (size_t i = 0; i < count; ++i) out_.states_.push_back({atom, optional, repeats});
    if (out_.states_.size() > kMaxStates)
      throw std::invalid_argument("the pattern is over 512 characters when written out");
  }

  std::string_view text_;
  Pattern& out_;
};

bool Pattern::Atom::contains(char32_t c) const {
  bool inside = false;
  for (const auto& [low, high] : ranges) inside = inside || (c >= low && c <= high);
  return inside != negated;
}

Pattern::Pattern(std::string_view pattern) { Parser(pattern, *this).run(); }

bool Pattern::matches(std::string_view text) const {
  // active[i]: the text so far has been matched and state i is next; active[size] means a match.
  std::bitset<kMaxStates + 1> active;
  const auto pass_optional = [&] {
    for (size_t i = 0; i < states_.size(); ++i) {
      if (active[i] && states_[i].optional) active.set(i + 1);
    }
  };
  active.set(0);
  pass_optional();
  while (!text.empty()) {
    const auto c = next_code_point(text);
    if (!c || active.none()) return false;
    decltype(active) next;
    for (size_t i = 0; i < states_.size(); ++i) {
      if (!active[i] || !atoms_[states_[i].atom].contains(*c)) continue;
      next.set(states_[i].repeats ? i : i + 1);
    }
    active = next;
    pass_optional();
  }
  return active[states_.size()];
}

std::string pattern_fault(std::string_view pattern) {
  try {
    const Pattern checked(pattern);
    return "";
  } catch (const std::invalid_argument& fault) {
    return fault.what();
  }
}

}  // namespace degu::rpc::validation
