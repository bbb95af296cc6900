#include <degu/http/internal/fields.h>
#include <degu/http/internal/ranges.h>

#include <algorithm>
#include <optional>

namespace degu::http::internal {
namespace {

// About what the head of a part of multipart/byteranges takes.
constexpr uint64_t kPartBytes = 128;

struct Spec {
  std::optional<uint64_t> first;
  std::optional<uint64_t> last;  // without `first`: length of a suffix
};

// int-range or suffix-range of section 14.1.2.
std::optional<Spec> parse_spec(std::string_view text) noexcept {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos || text.size() == 1) return std::nullopt;
  Spec spec;
  if (dash > 0) {
    spec.first = parse_digits(text.substr(0, dash));
    if (!spec.first) return std::nullopt;
  }
  if (dash + 1 < text.size()) {
    spec.last = parse_digits(text.substr(dash + 1));
    if (!spec.last || (spec.first && *spec.last < *spec.first)) return std::nullopt;
  }
  return spec;
}

// Nothing when it cannot be satisfied.
std::optional<ByteRange> resolve(const Spec& spec, uint64_t size) noexcept {
  if (!spec.first) {
    const uint64_t length = std::min(*spec.last, size);
    if (length == 0) return std::nullopt;
    return ByteRange{size - length, size - 1};
  }
  if (*spec.first >= size) return std::nullopt;
  return ByteRange{*spec.first, std::min(spec.last.value_or(size - 1), size - 1)};
}

void coalesce(std::vector<ByteRange>& ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (const ByteRange& range : ranges) {
    if (kept > 0 &&
        (range.first <= ranges[kept - 1].last || range.first - ranges[kept - 1].last <= kPartBytes)) {
      ranges[kept - 1].last = std::max(ranges[kept - 1].last, range.last);
    } else {
      ranges[kept++] = range;
    }
  }
  ranges.resize(kept);
}

}  // namespace

RangeSet parse_ranges(std::string_view field, uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!equals_ignoring_case(field.substr(0, kUnit.size()), kUnit)) return {};
  RangeSet set;
  std::size_t count = 0;
  bool usable = true;
  each_list_element(field.substr(kUnit.size()), [&](std::string_view element) {
    const auto spec = parse_spec(element);
    usable = usable && spec && ++count <= kMaxRanges;
    if (!usable) return;
    if (const auto range = resolve(*spec, size)) set.ranges.push_back(*range);
  });
  if (!usable || count == 0) return {};
  set.unsatisfiable = set.ranges.empty();
  coalesce(set.ranges);
  return set;
}

}  // namespace degu::http::internal
