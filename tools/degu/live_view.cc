#include "live_view.h"

#include <degu/rt/run.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "report.h"

namespace degu::bench {
namespace {

constexpr std::size_t kBar = 16;

// How much of the run is over; negative: it has no known end.
double share(const Progress& progress, const LoadOptions& options) {
  double done = -1;
  if (options.duration.count() > 0) {
    const auto whole = static_cast<double>((options.warmup + options.duration).count());
    done = static_cast<double>(progress.elapsed.count()) / whole;
  }
  if (options.requests != 0)
    done = std::max(done, static_cast<double>(progress.requests) / static_cast<double>(options.requests));
  return std::min(done, 1.0);
}

std::size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void write_all(std::string_view text) {
  degu::blocking([&] {
    while (!text.empty()) {
      const ssize_t count = ::write(STDERR_FILENO, text.data(), text.size());
      if (count <= 0) return;  // nobody reads it; the run goes on
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  });
}

}  // namespace

LiveView::LiveView(const LoadOptions& options, bool enabled)
    : options_(options), enabled_(enabled), terminal_(::isatty(STDERR_FILENO) == 1) {}

void LiveView::show(const Progress& progress) {
  if (!enabled_) return;
  if (terminal_) {
    // One column is left free: a full line would make some terminals begin another one.
    write_all(fmt::format("\r{}\x1b[K", line(progress, options_, terminal_columns() - 1)));
  } else if (progress.elapsed - shown_ >= std::chrono::milliseconds(950)) {
    shown_ = progress.elapsed;
    write_all(line(progress, options_, 200) + "\n");
  }
}

void LiveView::finish() {
  if (enabled_ && terminal_) write_all("\r\x1b[K");
}

std::string LiveView::line(const Progress& progress, const LoadOptions& options, std::size_t columns) {
  const auto ms = [](std::chrono::nanoseconds value) {
    return format_ms(static_cast<double>(value.count()) / 1e6);
  };
  std::string out = fmt::format("{:6.1f} s ", static_cast<double>(progress.elapsed.count()) / 1e9);
  if (options.target.http2) out += "HTTP/2 ";
  const double done = share(progress, options);
  if (done >= 0) {
    const auto filled = static_cast<std::size_t>(done * static_cast<double>(kBar));
    out += fmt::format("[{:#>{}}{:.>{}}] {:3.0f}% ", "", filled, "", kBar - filled, done * 100);
  }
  if (progress.warming_up) {
    out += "warming up";
  } else {
    const double length = static_cast<double>(progress.latest.length.count()) / 1e9;
    const double rate = length > 0 ? static_cast<double>(progress.latest.requests) / length : 0;
    out += fmt::format("{:.0f}/s  p50 {}  p99 {}  errors {}", rate, ms(progress.latest.p50),
                       ms(progress.latest.p99), progress.errors);
  }
  if (out.size() > columns) out.resize(columns);
  return out;
}

}  // namespace degu::bench
