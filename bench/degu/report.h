// What the runtime benchmarks share: a clock and lines of "name value unit", as their Go twins print them.
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>

namespace bench {

class Stopwatch {
 public:
  double nanoseconds() const {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start_).count();
  }
  double milliseconds() const { return nanoseconds() / 1e6; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

inline void report(std::string_view name, double value, std::string_view unit) {
  fmt::print("{} {:.2f} {}\n", name, value, unit);
  std::fflush(stdout);
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

}  // namespace bench
