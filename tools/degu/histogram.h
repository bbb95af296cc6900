// Histogram: latencies by the thousandth, in constant memory.
#pragma once

#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace degu::bench {

/// Cells in the layout of HdrHistogram (Gil Tene): exact below 2,048 ns, then 1,024 cells a power of two, so a value is
/// known within 0.1 %. What is longer than 73 minutes counts as that.
struct Cells {
  static constexpr std::size_t kCount = 33'792;
  static constexpr uint64_t kMax = (uint64_t{1} << 42) - 1;

  static constexpr std::size_t index(uint64_t nanos) noexcept {
    const uint64_t value = nanos > kMax ? kMax : nanos;
    const std::size_t shift = value < 2048 ? 0 : static_cast<std::size_t>(std::bit_width(value)) - 11;
    return (shift << 10) + static_cast<std::size_t>(value >> shift);
  }
  /// The least and the greatest value of a cell.
  static constexpr uint64_t low(std::size_t index) noexcept {
    const std::size_t shift = index < 2048 ? 0 : (index >> 10) - 1;
    return static_cast<uint64_t>(index - (shift << 10)) << shift;
  }
  static constexpr uint64_t high(std::size_t index) noexcept {
    const std::size_t shift = index < 2048 ? 0 : (index >> 10) - 1;
    return low(index) + (uint64_t{1} << shift) - 1;
  }
};

/// Counts durations. One allocation of 264 KiB. Not thread-safe; Recorder is what many goroutines record into.
class Histogram {
 public:
  Histogram() : cells_(Cells::kCount) {}

  void record(std::chrono::nanoseconds value) noexcept {
    add_cell(Cells::index(value.count() < 0 ? 0 : static_cast<uint64_t>(value.count())), 1);
  }
  void add_cell(std::size_t index, uint64_t count) noexcept {
    cells_[index] += count;
    count_ += count;
  }
  void add(const Histogram& other) noexcept;
  /// What was recorded since `earlier`, an earlier state of this one.
  Histogram since(const Histogram& earlier) const;

  uint64_t count() const noexcept { return count_; }
  uint64_t at(std::size_t index) const noexcept { return cells_[index]; }
  /// The least value that at least `percent` of the values do not exceed (nearest rank); 0 when there are none.
  std::chrono::nanoseconds percentile(double percent) const noexcept;
  std::chrono::nanoseconds min() const noexcept;
  std::chrono::nanoseconds max() const noexcept { return percentile(100); }
  /// In nanoseconds, of the middles of the cells; 0 when there are none.
  double mean() const noexcept;
  double stdev() const noexcept;

 private:
  std::vector<uint64_t> cells_;
  uint64_t count_ = 0;
};

}  // namespace degu::bench
