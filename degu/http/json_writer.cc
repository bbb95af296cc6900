#include <degu/http/internal/utf8.h>
#include <degu/http/json_writer.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

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

#ifdef __SSE2__
// A bit for each of the sixteen bytes that is not plain.
uint32_t special(__m128i bytes) noexcept {
  // Signed comparison: bytes from 0x80 up are negative, so they are "below space" as well.
  const __m128i found = _mm_or_si128(
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
      _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)));
  return static_cast<uint32_t>(_mm_movemask_epi8(found));
}

// Copies the first and the last Half bytes of `size`, Half to 2 * Half, and returns how many are plain before one that is not.
template <class Half>
std::size_t copy_halves(char* to, const char* from, std::size_t size) noexcept {
  constexpr std::size_t kHalf = sizeof(Half);
  Half halves[2];
  std::memcpy(&halves[0], from, kHalf);
  std::memcpy(&halves[1], from + size - kHalf, kHalf);
  std::memcpy(to, &halves[0], kHalf);
  std::memcpy(to + size - kHalf, &halves[1], kHalf);
  __m128i bytes;
  if constexpr (kHalf == 8) {
    bytes = _mm_set_epi64x(static_cast<int64_t>(halves[1]), static_cast<int64_t>(halves[0]));
  } else {
    bytes = _mm_cvtsi64_si128(static_cast<int64_t>(uint64_t{halves[1]} << 32 | halves[0]));
  }
  const uint32_t mask = special(bytes) & ((1U << 2 * kHalf) - 1);
  if (mask == 0) return size;
  const auto at = static_cast<std::size_t>(std::countr_zero(mask));
  return at < kHalf ? at : size - 2 * kHalf + at;
}
#endif

// Copies `from`, and maybe rubbish behind what it says it has copied: the leading run of plain bytes. Sixteen at a time,
// since nearly all text of services is one such run. No byte behind to + size is written.
std::size_t copy_plain(char* to, const char* from, std::size_t size) noexcept {
  std::size_t i = 0;
#ifdef __SSE2__
  if (size >= 16) {
    for (;; i = i + 32 <= size ? i + 16 : size - 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), bytes);
      if (const uint32_t mask = special(bytes); mask != 0)
        return i + static_cast<std::size_t>(std::countr_zero(mask));
      if (i + 16 == size) return size;
    }
  }
  if (size >= 8) return copy_halves<uint64_t>(to, from, size);
  if (size >= 4) return copy_halves<uint32_t>(to, from, size);
#endif
  for (; i < size && kPlain[static_cast<unsigned char>(from[i])]; ++i) to[i] = from[i];
  return i;
}

// The longest is \u00XX.
constexpr std::size_t kEscape = 6;

char* put_escape(char* to, unsigned char c) noexcept {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::string_view kShort = "\"\"\\\\\nn\rr\tt";  // pairs: what it is, its letter
  *to++ = '\\';
  for (std::size_t i = 0; i < kShort.size(); i += 2) {
    if (static_cast<unsigned char>(kShort[i]) != c) continue;
    *to++ = kShort[i + 1];
    return to;
  }
  for (const char digit : {'u', '0', '0', kHex[c >> 4], kHex[c & 15]}) *to++ = digit;
  return to;
}

}  // namespace

void Writer::make_room(std::size_t bytes) {
  constexpr std::size_t kAhead = 1024;
  const std::size_t used = written();
  out_.resize(used);  // what is moved is what was written
  at_ = end_ = nullptr;
  const std::size_t wanted = used + (batches_ != 0 && bytes < kAhead ? kAhead : bytes);
  out_.resize(wanted);
  at_ = out_.data() + used;
  end_ = out_.data() + wanted;
}

void Writer::append_quoted(std::string_view text) {
  char* to = room(text.size() + 2);
  *to++ = '"';
  const std::size_t plain = copy_plain(to, text.data(), text.size());
  at_ = to + plain;
  if (plain != text.size()) [[unlikely]]
    append_escaped(text.substr(plain));
  append('"');
}

// The first byte of `text` is not plain.
void Writer::append_escaped(std::string_view text) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    char* to = room(kEscape + text.size());
    std::size_t length = 1;
    if (c < 0x80) {
      to = put_escape(to, c);
    } else {
      length = http::internal::utf8_sequence(text);
      const std::string_view sequence = length != 0 ? text.substr(0, length) : "\xEF\xBF\xBD";
      to = std::copy(sequence.begin(), sequence.end(), to);
      if (length == 0) length = 1;
    }
    text.remove_prefix(length);
    const std::size_t plain = copy_plain(to, text.data(), text.size());
    at_ = to + plain;
    text.remove_prefix(plain);
  }
}

namespace {
constexpr std::size_t kDigits = 24;  // of an integer
}

void Writer::append_int(int64_t number) {
  char* to = room(kDigits);
  at_ = std::to_chars(to, to + kDigits, number).ptr;
}

void Writer::append_uint(uint64_t number) {
  char* to = room(kDigits);
  at_ = std::to_chars(to, to + kDigits, number).ptr;
}

template <class T>
void Writer::append_real(T number) {
  if (!std::isfinite(number)) return value(nullptr);
  separate();
  // From 2^53 on an exponent says that this is no exact integer; without it, one past 64 bits could not be read back.
  constexpr T kExactIntegers = T{9007199254740992};
  constexpr std::size_t kLongest = 32;
  char* to = room(kLongest);
  at_ = (std::abs(number) < kExactIntegers
             ? std::to_chars(to, to + kLongest, number)
             : std::to_chars(to, to + kLongest, number, std::chars_format::scientific))
            .ptr;
  if (number == 0 && std::signbit(number)) append(".0");  // "-0" would read back as the integer 0
  settle();
}

void Writer::value(double number) { append_real(number); }
void Writer::value(float number) { append_real(number); }

void Writer::quoted(int64_t number) {
  separate();
  append('"');
  append_int(number);
  append('"');
  settle();
}

void Writer::quoted(uint64_t number) {
  separate();
  append('"');
  append_uint(number);
  append('"');
  settle();
}

}  // namespace degu::json
