// LeakSet: programs that leave goroutines behind, to score what looks for such.
#pragma once

#include <degu/rt/deadlock.h>
#include <degu/rt/leaks.h>
#include <degu/rt/run.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

namespace degu::testing {

/// `body(false)` leaves `leaks` goroutines parked for ever, whatever the schedule; `body(true)`, the repaired twin,
/// none. `cycle`: those that are left wait for each other in a circle that find_stuck_cycles() has to see.
struct LeakProgram {
  const char* name;
  std::size_t leaks;
  bool cycle;
  void (*body)(bool fixed);
};

struct Seen {
  std::size_t left = 0;
  bool cycle = false;
};

inline Seen watch(const LeakProgram& program, bool fixed, int procs) {
  Seen seen;
  run({.procs = procs, .deadlock_report = false}, [&] {
    const std::vector<uint64_t> known = rt::living_goroutines();
    program.body(fixed);
    seen.left = rt::goroutines_left(known, std::chrono::seconds(30)).count;
    seen.cycle = !rt::find_stuck_cycles(std::chrono::nanoseconds(0)).empty();
  });
  return seen;
}

/// Runs all with 1, 2 and 8 Ps, prints a table, and fails the test for each leak that was missed and each false alarm.
inline void score(const char* title, std::span<const LeakProgram> programs) {
  fmt::print("{:<34} {:>5} {:>5} {:>5} {:>5}\n", title, "leaks", "found", "twin", "cycle");
  std::size_t leaks = 0;
  std::size_t found = 0;
  for (const LeakProgram& program : programs) {
    Seen bad;
    Seen twin;
    for (const int procs : {1, 2, 8}) {
      SCOPED_TRACE(fmt::format("{} procs={}", program.name, procs));
      bad = watch(program, false, procs);
      twin = watch(program, true, procs);
      EXPECT_EQ(bad.left, program.leaks) << "leaked goroutines missed, or false alarms";
      EXPECT_EQ(twin.left, 0U) << "false alarm";
      EXPECT_EQ(bad.cycle, program.cycle) << "cycle missed, or false alarm";
      EXPECT_FALSE(twin.cycle) << "false alarm";
    }
    fmt::print("{:<34} {:>5} {:>5} {:>5} {:>5}\n", program.name, program.leaks, bad.left, twin.left,
               bad.cycle ? "yes" : "-");
    leaks += program.leaks;
    found += bad.left;
  }
  fmt::print("{:<34} {:>5} {:>5}\n\n", "all", leaks, found);
}

}  // namespace degu::testing
