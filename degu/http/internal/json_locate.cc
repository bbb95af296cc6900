// A scalar recursive-descent recogniser, run only after simdjson has refused a text. Its depth is bounded by
// the limit that the reader has, so it cannot overflow the stack.
#include <degu/http/internal/json_locate.h>
#include <degu/http/json_reader.h>

namespace degu::json::internal {
namespace {

class Recogniser {
 public:
  explicit Recogniser(std::string_view text) noexcept : text_(text) {}

  Fault run() noexcept {
    skip_space();
    if (at_ == text_.size()) {
      fail("is empty");
    } else if (value(0)) {
      skip_space();
      if (at_ < text_.size()) fail("has more text after its end");
    }
    return fault_;
  }

 private:
  bool fail(std::string_view what) noexcept {
    if (fault_.what.empty()) fault_ = {at_, what};
    return false;
  }
  bool at_end() const noexcept { return at_ >= text_.size(); }
  char peek() const noexcept { return at_end() ? '\0' : text_[at_]; }
  bool accept(char c) noexcept {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_space() noexcept {
    while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++at_;
  }
  static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

  bool value(std::size_t depth) noexcept {
    if (at_end()) return fail("ends where a value is expected");
    switch (peek()) {
      case '{':
      case '[':
        if (depth == kMaxDepth) return fail("is nested too deeply");
        return peek() == '{' ? object(depth) : array(depth);
      case '"':
        return string();
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case 'n':
        return literal("null");
      default:
        return number();
    }
  }

  bool object(std::size_t depth) noexcept {
    ++at_;
    skip_space();
    if (accept('}')) return true;
    for (;;) {
      if (peek() != '"') return fail("has no quoted member name where one is expected");
      if (!string()) return false;
      skip_space();
      if (!accept(':')) return fail("has no ':' after a member name");
      skip_space();
      if (!value(depth + 1)) return false;
      skip_space();
      if (accept('}')) return true;
      if (!accept(',')) return fail("has no ',' or '}' after a member");
      skip_space();
    }
  }

  bool array(std::size_t depth) noexcept {
    ++at_;
    skip_space();
    if (accept(']')) return true;
    for (;;) {
      if (!value(depth + 1)) return false;
      skip_space();
      if (accept(']')) return true;
      if (!accept(',')) return fail("has no ',' or ']' after an element");
      skip_space();
    }
  }

  bool literal(std::string_view word) noexcept {
    if (text_.substr(at_, word.size()) != word) return fail("has an unknown word");
    at_ += word.size();
    return true;
  }

  bool string() noexcept {
    ++at_;
    for (;;) {
      if (at_end()) return fail("ends inside a string");
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c < 0x20) return fail("has a control character inside a string");
      ++at_;
      if (c == '"') return true;
      if (c == '\\' && !escape()) return false;
    }
  }

  bool escape() noexcept {
    const char c = peek();
    if (c == 'u') {
      ++at_;
      for (int i = 0; i < 4; ++i, ++at_) {
        const char h = peek();
        if (!is_digit(h) && !(h >= 'a' && h <= 'f') && !(h >= 'A' && h <= 'F'))
          return fail("has a bad \\u escape");
      }
      return true;
    }
    if (c == '\0' || std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos)
      return fail("has a bad escape");
    ++at_;
    return true;
  }

  bool digits() noexcept {
    if (!is_digit(peek())) return false;
    while (is_digit(peek())) ++at_;
    return true;
  }

  bool number() noexcept {
    const std::size_t start = at_;
    accept('-');
    if (!is_digit(peek()))
      return fail(at_ == start ? "has no value where one is expected" : "has a bad number");
    if (accept('0')) {
      if (is_digit(peek())) return fail("has a number with a leading zero");
    } else {
      digits();
    }
    if (accept('.') && !digits()) return fail("has a bad number");
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (!accept('+')) accept('-');
      if (!digits()) return fail("has a bad number");
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Fault fault_;
};

}  // namespace

Fault locate_fault(std::string_view text) noexcept { return Recogniser(text).run(); }

}  // namespace degu::json::internal
