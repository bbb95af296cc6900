// What the runtime benchmarks share: a clock, lines of "name value unit" as their Go twins print them, sizes, and facts
// about this process.
#pragma once

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

using std::chrono::steady_clock;

class Stopwatch {
 public:
  double nanoseconds() const {
    return std::chrono::duration<double, std::nano>(steady_clock::now() - start_).count();
  }
  double milliseconds() const { return nanoseconds() / 1e6; }
  /// The time since the start, a share of n.
  double per(long n) const { return nanoseconds() / static_cast<double>(n); }

 private:
  steady_clock::time_point start_ = steady_clock::now();
};

inline void report(std::string_view name, double value, std::string_view unit) {
  fmt::print("{} {:.2f} {}\n", name, value, unit);
  std::fflush(stdout);
}

/// n, or n / BENCH_DIVIDE for a quick look whether a program works.
inline int scaled(int n) {
  static const int by = [] {
    const char* text = std::getenv("BENCH_DIVIDE");
    return std::max(1, text == nullptr ? 1 : std::atoi(text));
  }();
  return n / by;
}

/// Resident memory of this process in bytes.
inline double resident_bytes() {
  long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) * 4096;
}

inline double threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<double>(std::distance(begin(tasks), end(tasks)));
}

/// Processor time of this process so far, in nanoseconds.
inline double cpu_nanoseconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto nanoseconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_usec) * 1e3;
  };
  return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

inline double microseconds_since(steady_clock::time_point due) {
  return std::chrono::duration<double, std::micro>(steady_clock::now() - due).count();
}

/// Reports median, 99th percentile and maximum.
inline void report_lateness(std::string_view name, std::vector<double> late, std::string_view unit) {
  std::sort(late.begin(), late.end());
  report(fmt::format("{}_late_p50", name), late[late.size() / 2], unit);
  report(fmt::format("{}_late_p99", name), late[late.size() * 99 / 100], unit);
  report(fmt::format("{}_late_max", name), late.back(), unit);
}

/// The numbers 0 to n - 1 in an order that looks random and is the same in every run.
inline std::vector<int> shuffled(int n) {
  std::vector<int> order(static_cast<std::size_t>(n));
  uint64_t state = 1;
  for (int i = 0; i < n; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const auto at = static_cast<std::size_t>((state >> 33) % static_cast<uint64_t>(i + 1));
    order[static_cast<std::size_t>(i)] = order[at];
    order[at] = i;
  }
  return order;
}

}  // namespace bench
