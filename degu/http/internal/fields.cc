#include <degu/http/internal/char_class.h>
#include <degu/http/internal/fields.h>

#include <cstring>
#include <limits>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace degu::http::internal {

bool is_token_char(char c) noexcept { return is(kTokenChar, c); }

bool is_token(std::string_view text) noexcept {
  return !text.empty() && skip(kTokenChar, text, 0) == text.size();
}

namespace {

// Whether a run of bytes has no control character; a tab counts as one.

// Sean Anderson's "Bit Twiddling Hacks": hasless, haszero.
bool are_plain(uint64_t bytes) noexcept {
  constexpr uint64_t kOnes = 0x0101010101010101;
  const uint64_t del = bytes ^ (kOnes * 0x7F);
  const uint64_t below_space = (bytes - kOnes * 0x20) & ~bytes;
  return ((below_space | ((del - kOnes) & ~del)) & (kOnes * 0x80)) == 0;
}

#ifdef __SSE2__
using Block = __m128i;

bool are_plain(Block bytes) noexcept {
  const Block control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
  return _mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F)))) == 0;
}
#else
using Block = uint64_t;
#endif

template <class T>
T load(const char* from) noexcept {
  T bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

// Of at least one T; the last one may overlap the one before.
template <class T>
bool all_plain(std::string_view text) noexcept {
  std::size_t i = 0;
  for (; i + sizeof(T) < text.size(); i += sizeof(T)) {
    if (!are_plain(load<T>(text.data() + i))) return false;
  }
  return are_plain(load<T>(text.data() + text.size() - sizeof(T)));
}

}  // namespace

bool is_field_value(std::string_view text) noexcept {
  if (text.size() >= sizeof(Block)) {
    if (all_plain<Block>(text)) return true;
  } else if (text.size() >= sizeof(uint64_t)) {
    if (all_plain<uint64_t>(text)) return true;
  }
  return skip(kValueChar, text, 0) == text.size();  // tabs are allowed
}

char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

FieldLine parse_field_line(std::string_view line) noexcept {
  if (line.front() == ' ' || line.front() == '\t') return {{}, {}, "folded header line"};
  const std::size_t colon = skip(kTokenChar, line, 0);
  if (colon == line.size()) return {{}, {}, "header line without a colon"};
  if (line[colon] != ':') return {{}, {}, "bad character in a header name"};
  if (colon == 0) return {{}, {}, "header line without a name"};
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_field_value(value)) return {{}, {}, "control character in a header value"};
  return {line.substr(0, colon), value, {}};
}

std::optional<uint64_t> parse_digits(std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  constexpr std::size_t kFits = std::numeric_limits<uint64_t>::digits10;
  uint64_t number = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    const auto digit = static_cast<uint64_t>(text[i] - '0');
    number = i >= kFits && number > (kMax - digit) / 10 ? kMax : number * 10 + digit;
  }
  return number;
}

}  // namespace degu::http::internal
