// SvgPlot: a small diagram as inline SVG.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace degu::bench {

/// Axes, lines or bars, and a legend, 400 by 240 units wide, to be scaled by the page. Colours are the classes s0, s1, s2 of
/// the page. Values that are not finite are left out. Not thread-safe.
class SvgPlot {
 public:
  using Points = std::vector<std::pair<double, double>>;
  struct Tick {
    double at;
    std::string label;
  };

  /// `title` is read out by screen readers.
  explicit SvgPlot(std::string title) : title_(std::move(title)) {}

  void set_x(double low, double high, std::vector<Tick> ticks);
  /// From 0 to what the values need; labels are latencies in ms, or numbers.
  void set_y(double high, bool latency);
  /// `name` goes to the legend; empty: to none. At most three.
  void add_line(std::string name, const Points& points);
  /// From y = 0; each from its x to the next one's, the last to the right end.
  void add_bars(const Points& points);

  std::string svg() const;

 private:
  double x(double value) const noexcept;
  double y(double value) const noexcept;

  std::string title_;
  double x_low_ = 0;
  double x_high_ = 1;
  double y_high_ = 1;
  bool latency_ = false;
  std::vector<Tick> x_ticks_;
  std::vector<std::string> names_;
  std::string shapes_;
};

}  // namespace degu::bench
