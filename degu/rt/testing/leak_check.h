// LeakCheck and ResourceCheck: fail a test that leaves something behind.
#pragma once

#include <degu/rt/leaks.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace degu {

/// In a goroutine: the test fails if goroutines that were started in this scope exist at its end.
///
///   degu::run([] {
///     const degu::LeakCheck check;
///     server.start(); ... server.stop();
///   });
class LeakCheck {
 public:
  explicit LeakCheck(std::chrono::nanoseconds patience = std::chrono::seconds(1))
      : patience_(patience), known_(rt::living_goroutines()) {}
  ~LeakCheck() {
    const rt::Leftovers left = rt::goroutines_left(known_, patience_);
    EXPECT_EQ(left.count, 0U) << "goroutines that this test started and left:\n" << left.text;
  }
  LeakCheck(const LeakCheck&) = delete;
  LeakCheck& operator=(const LeakCheck&) = delete;

 private:
  std::chrono::nanoseconds patience_;
  std::vector<uint64_t> known_;
};

/// Outside of run(): the test fails if stacks, descriptors or contexts that were taken in this scope are still taken.
class ResourceCheck {
 public:
  ResourceCheck() : before_(rt::resources_in_use()) {}
  ~ResourceCheck() {
    const rt::Resources after = rt::resources_in_use();
    EXPECT_EQ(after.stacks, before_.stacks) << "goroutine stacks were not given back";
    EXPECT_LE(after.descriptors, before_.descriptors) << "descriptors were left open";
    EXPECT_LE(after.contexts, before_.contexts) << "contexts were left";
  }
  ResourceCheck(const ResourceCheck&) = delete;
  ResourceCheck& operator=(const ResourceCheck&) = delete;

 private:
  rt::Resources before_;
};

}  // namespace degu
