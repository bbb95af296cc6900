#include <degu/http/internal/utf8.h>
#include <degu/http/json_writer.h>

#include <array>
#include <charconv>
#include <cmath>

#ifdef __SSE2__
#include <emmintrin.h>

#include <bit>
#endif

namespace degu::json {
namespace {

constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; ++c) plain[c] = true;
  plain['"'] = false;
  plain['\\'] = false;
  return plain;
}
// Bytes that a JSON string holds as they are; the rest is escaped or, beyond ASCII, checked.
constexpr std::array<bool, 256> kPlain = make_plain();

// Length of the leading run of plain bytes. Sixteen at a time: nearly all text of services is one such run.
std::size_t plain_run(const char* data, std::size_t size) noexcept {
  std::size_t i = 0;
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(0x20);
  for (; i + 16 <= size; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + i));
    // Signed comparison: bytes from 0x80 up are negative, so they are "below space" as well.
    const __m128i special =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                     _mm_cmplt_epi8(bytes, space));
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(special));
    if (mask != 0) return i + static_cast<std::size_t>(std::countr_zero(mask));
  }
#endif
  while (i < size && kPlain[static_cast<unsigned char>(data[i])]) ++i;
  return i;
}

void append_escape(std::string& out, unsigned char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out.append("\\\"");
      return;
    case '\\':
      out.append("\\\\");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      out.append("\\u00");
      out.push_back(kHex[c >> 4]);
      out.push_back(kHex[c & 15]);
  }
}

}  // namespace

void Writer::append_quoted(std::string_view text) {
  out_.push_back('"');
  std::size_t at = 0;
  for (;;) {
    const std::size_t run = plain_run(text.data() + at, text.size() - at);
    out_.append(text, at, run);
    at += run;
    if (at == text.size()) break;
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x80) {
      append_escape(out_, c);
      ++at;
      continue;
    }
    const std::size_t length = http::internal::utf8_sequence(text.substr(at));
    if (length == 0) {
      out_.append("\xEF\xBF\xBD");
      ++at;
    } else {
      out_.append(text, at, length);
      at += length;
    }
  }
  out_.push_back('"');
}

void Writer::append_int(int64_t number) {
  char digits[24];
  const auto result = std::to_chars(digits, digits + sizeof digits, number);
  out_.append(digits, static_cast<std::size_t>(result.ptr - digits));
}

void Writer::append_uint(uint64_t number) {
  char digits[24];
  const auto result = std::to_chars(digits, digits + sizeof digits, number);
  out_.append(digits, static_cast<std::size_t>(result.ptr - digits));
}

namespace {

template <class T>
void append_number(std::string& out, T number) {
  // From 2^53 on an exponent says that this is no exact integer; without it, one past 64 bits could not be read back.
  constexpr T kExactIntegers = T{9007199254740992};
  char digits[32];
  const auto result =
      std::abs(number) < kExactIntegers
          ? std::to_chars(digits, digits + sizeof digits, number)
          : std::to_chars(digits, digits + sizeof digits, number, std::chars_format::scientific);
  out.append(digits, static_cast<std::size_t>(result.ptr - digits));
  if (number == 0 && std::signbit(number)) out += ".0";  // "-0" would read back as the integer 0
}

}  // namespace

void Writer::value(double number) {
  if (!std::isfinite(number)) return value(nullptr);
  separate();
  append_number(out_, number);
}

void Writer::value(float number) {
  if (!std::isfinite(number)) return value(nullptr);
  separate();
  append_number(out_, number);
}

void Writer::quoted(int64_t number) {
  separate();
  out_.push_back('"');
  append_int(number);
  out_.push_back('"');
}

void Writer::quoted(uint64_t number) {
  separate();
  out_.push_back('"');
  append_uint(number);
  out_.push_back('"');
}

}  // namespace degu::json
