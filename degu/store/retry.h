// RetryPolicy: how often and how fast a failed delivery or step is tried again.
#pragma once

#include <degu/base/error.h>

#include <chrono>

namespace degu::store {

struct RetryPolicy {
  int attempts = 5;  // in all, the first included
  std::chrono::milliseconds first{50};
  std::chrono::milliseconds longest{5000};

  /// The pause after failed attempt number `attempt` (from 1): half of first * 2^(attempt-1), at most
  /// `longest`, plus a random part of the other half, so that many waiters do not come back at once.
  std::chrono::milliseconds pause(int attempt) const noexcept;
};

/// Worth another try: the code is kUnavailable or kDeadlineExceeded.
bool is_transient(Code code) noexcept;

}  // namespace degu::store
