// Properties: ranges are ascending, apart, within the content and few, or the field is ignored; a date that is read is
// written to a date that reads the same; entity tags are none with a control character or without quotes.
#include <degu/base/assert.h>
#include <degu/http/internal/conditions.h>
#include <degu/http/internal/date.h>
#include <degu/http/internal/ranges.h>

#include <cstdint>
#include <cstring>
#include <string_view>

namespace {

using degu::http::internal::ByteRange;
using degu::http::internal::format_http_date;
using degu::http::internal::is_entity_tag;
using degu::http::internal::kMaxRanges;
using degu::http::internal::parse_http_date;
using degu::http::internal::parse_ranges;
using degu::http::internal::RangeSet;

void check_ranges(std::string_view field, uint64_t size) {
  const RangeSet set = parse_ranges(field, size);
  DEGU_CHECK(set.ranges.size() <= kMaxRanges, "{} ranges", set.ranges.size());
  DEGU_CHECK(!set.unsatisfiable || set.ranges.empty(), "both unsatisfiable and {} ranges", set.ranges.size());
  uint64_t behind = 0;
  for (const ByteRange& range : set.ranges) {
    const bool sound =
        range.first <= range.last && range.last < size && (behind == 0 || range.first > behind);
    DEGU_CHECK(sound, "{}-{} of {}", range.first, range.last, size);
    behind = range.last + 1;
  }
}

void check_date(std::string_view text) {
  constexpr std::time_t kNow = 1'800'000'000;
  const auto time = parse_http_date(text, kNow);
  if (!time) return;
  char written[29];
  format_http_date(*time, written);
  const bool same = parse_http_date({written, sizeof written}, kNow) == time;
  DEGU_CHECK(same, "{}", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  uint64_t content = 0;
  if (size < sizeof content) return 0;
  std::memcpy(&content, data, sizeof content);
  const std::string_view text(reinterpret_cast<const char*>(data) + sizeof content, size - sizeof content);
  check_ranges(text, content);
  check_ranges(text, content % 1000);
  check_date(text);
  const bool sound_tag = text.ends_with('"') && text.find('\n') == std::string_view::npos;
  DEGU_CHECK(!is_entity_tag(text) || sound_tag, "{}", text);
  return 0;
}
