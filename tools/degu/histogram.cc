#include "histogram.h"

#include <algorithm>
#include <cmath>

namespace degu::bench {
namespace {

double middle(std::size_t index) noexcept {
  return (static_cast<double>(Cells::low(index)) + static_cast<double>(Cells::high(index))) / 2;
}

}  // namespace

void Histogram::add(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < cells_.size(); ++i) cells_[i] += other.cells_[i];
  count_ += other.count_;
}

Histogram Histogram::since(const Histogram& earlier) const {
  Histogram difference;
  for (std::size_t i = 0; i < cells_.size(); ++i) difference.add_cell(i, cells_[i] - earlier.cells_[i]);
  return difference;
}

std::chrono::nanoseconds Histogram::percentile(double percent) const noexcept {
  if (count_ == 0) return {};
  // A trillionth less, so that 99.9 % of 1,000 is 999, whatever the last bits of the product are.
  const double rank =
      std::ceil(std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_) * (1 - 1e-12));
  const uint64_t wanted = std::clamp<uint64_t>(static_cast<uint64_t>(rank), 1, count_);
  uint64_t seen = 0;
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    seen += cells_[i];
    if (seen >= wanted) return std::chrono::nanoseconds(Cells::high(i));
  }
  return std::chrono::nanoseconds(Cells::kMax);
}

std::chrono::nanoseconds Histogram::min() const noexcept {
  const auto first = std::find_if(cells_.begin(), cells_.end(), [](uint64_t n) { return n != 0; });
  if (first == cells_.end()) return {};
  return std::chrono::nanoseconds(Cells::low(static_cast<std::size_t>(first - cells_.begin())));
}

double Histogram::mean() const noexcept {
  if (count_ == 0) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < cells_.size(); ++i) sum += static_cast<double>(cells_[i]) * middle(i);
  return sum / static_cast<double>(count_);
}

double Histogram::stdev() const noexcept {
  if (count_ == 0) return 0;
  const double center = mean();
  double sum = 0;
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    const double distance = middle(i) - center;
    sum += static_cast<double>(cells_[i]) * distance * distance;
  }
  return std::sqrt(sum / static_cast<double>(count_));
}

}  // namespace degu::bench
