// Byte ranges: RFC 9110 section 14.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace degu::http::internal {

/// Both ends belong to it.
struct ByteRange {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t size() const noexcept { return last - first + 1; }
  bool operator==(const ByteRange&) const = default;
};

struct RangeSet {
  bool unsatisfiable = false;     ///< 416: all ranges lie behind the end
  std::vector<ByteRange> ranges;  ///< ascending, far apart; empty: the field is to be ignored
};

/// More ranges than this are ignored, as section 14.2 lets a server do.
inline constexpr std::size_t kMaxRanges = 16;

/// Reads the field Range for a representation of `size` bytes. What is malformed, of another unit, or has too many
/// ranges is ignored. Ranges that overlap, or lie so close that another part would cost more than the gap, are made one:
/// a set never asks for more than there is (section 17.15).
RangeSet parse_ranges(std::string_view field, uint64_t size);

}  // namespace degu::http::internal
