// CrashPoint: kills the process at a chosen moment, to prove that nothing is lost then.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

namespace shop::order {

/// Points, each "<name>" right after the local commit and "<name>-before" right before it: pending, reserved,
/// authorized, confirmed, captured (the states of an order), notified (a delivery of the outbox),
/// compensating (each commit while an order is undone or cancelled). Compiled in always; without a spec
/// reach() compares one bool.
class CrashPoint {
 public:
  /// "<point>:<n>", "<point>" meaning n = 1, "" meaning never. Throws Error(kInvalidArgument) for anything
  /// else.
  explicit CrashPoint(std::string_view spec);

  /// SIGKILLs the process if this is the n-th time that the point is reached. Thread-safe.
  void reach(std::string_view point, bool committed) noexcept;

 private:
  std::string point_;
  bool committed_ = false;
  bool armed_ = false;
  std::atomic<int> left_{0};
};

}  // namespace shop::order
