#include <degu/http/internal/fields.h>

#include <array>
#include <limits>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace degu::http::internal {
namespace {

constexpr std::array<bool, 256> make_token_chars() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kTokenChars = make_token_chars();

bool is_value_char(char c) noexcept {
  const auto u = static_cast<unsigned char>(c);
  return (u >= 0x20 && u != 0x7F) || u == '\t';
}

}  // namespace

bool is_token_char(char c) noexcept { return kTokenChars[static_cast<unsigned char>(c)]; }

bool is_token(std::string_view text) noexcept {
  for (const char c : text) {
    if (!is_token_char(c)) return false;
  }
  return !text.empty();
}

bool is_field_value(std::string_view text) noexcept {
  std::size_t i = 0;
#ifdef __SSE2__
  // 0x00..0x1F and 0x7F are suspicious; blocks with a tab are looked at again byte by byte.
  const __m128i last_control = _mm_set1_epi8(0x1F);
  const __m128i del = _mm_set1_epi8(0x7F);
  for (; i + 16 <= text.size(); i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + i));
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    if (_mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(bytes, del))) != 0) break;
  }
#endif
  for (; i < text.size(); ++i) {
    if (!is_value_char(text[i])) return false;
  }
  return true;
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
  std::size_t colon = 0;
  while (colon < line.size() && is_token_char(line[colon])) ++colon;
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
  uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<uint64_t>(c - '0');
    number = number > (kMax - digit) / 10 ? kMax : number * 10 + digit;
  }
  return number;
}

}  // namespace degu::http::internal
