#include "svg_plot.h"

#include <degu/http/html_template.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report.h"

namespace degu::bench {
namespace {

constexpr double kLeft = 58;
constexpr double kRight = 390;
constexpr double kTop = 24;
constexpr double kBottom = 212;

// 1, 2 or 5 times a power of ten, so that about four of them reach `high`.
double step_for(double high) {
  const double raw = high / 4;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double lead = raw / power;
  return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

std::string short_latency(double ms) {
  if (ms == 0) return "0";
  if (ms < 1) return fmt::format("{:.3g} us", ms * 1e3);
  return ms < 1000 ? fmt::format("{:.3g} ms", ms) : fmt::format("{:.3g} s", ms / 1e3);
}

std::string short_number(double value) {
  if (value < 1e3) return fmt::format("{:.3g}", value);
  return value < 1e6 ? fmt::format("{:.3g}k", value / 1e3) : fmt::format("{:.3g}M", value / 1e6);
}

}  // namespace

void SvgPlot::set_x(double low, double high, std::vector<Tick> ticks) {
  x_low_ = low;
  x_high_ = high > low ? high : low + 1;
  x_ticks_ = std::move(ticks);
}

void SvgPlot::set_y(double high, bool latency) {
  y_high_ = std::isfinite(high) && high > 0 ? high * 1.05 : 1;
  latency_ = latency;
}

double SvgPlot::x(double value) const noexcept {
  return kLeft + (std::clamp(value, x_low_, x_high_) - x_low_) / (x_high_ - x_low_) * (kRight - kLeft);
}

double SvgPlot::y(double value) const noexcept {
  return kBottom - std::clamp(value / y_high_, 0.0, 1.0) * (kBottom - kTop);
}

void SvgPlot::add_line(std::string name, const Points& points) {
  shapes_ += fmt::format("<polyline class=\"line s{}\" points=\"", names_.size());
  for (const auto& [px, py] : points) {
    if (std::isfinite(px) && std::isfinite(py)) shapes_ += fmt::format("{:.1f},{:.1f} ", x(px), y(py));
  }
  shapes_ += "\"/>\n";
  names_.push_back(std::move(name));
}

void SvgPlot::add_bars(const Points& points) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double begin = x(points[i].first);
    const double end = i + 1 < points.size() ? x(points[i + 1].first) : kRight;
    const double top = y(points[i].second);
    shapes_ +=
        fmt::format("<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
                    begin, top, std::max(0.0, end - begin - 0.6), kBottom - top);
  }
}

std::string SvgPlot::svg() const {
  std::string out = fmt::format("<svg viewBox=\"0 0 400 240\" role=\"img\" aria-label=\"{}\">\n",
                                http::escape_html(title_));
  const double step = step_for(y_high_);
  for (double value = 0; value <= y_high_; value += step) {
    out += fmt::format("<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft,
                       kRight, y(value));
    out += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeft - 6, y(value) + 4,
                       latency_ ? short_latency(value) : short_number(value));
  }
  for (const Tick& tick : x_ticks_) {
    out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                       std::min(x(tick.at), kRight - 14), kBottom + 18, http::escape_html(tick.label));
  }
  out += shapes_;
  double legend = kLeft;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i].empty()) continue;
    out += fmt::format("<line class=\"line s{0}\" x1=\"{1}\" x2=\"{2}\" y1=\"10\" y2=\"10\"/>", i, legend,
                       legend + 14);
    out += fmt::format("<text x=\"{}\" y=\"14\">{}</text>\n", legend + 19, http::escape_html(names_[i]));
    legend += 34 + 7 * static_cast<double>(names_[i].size());
  }
  return out + "</svg>\n";
}

}  // namespace degu::bench
