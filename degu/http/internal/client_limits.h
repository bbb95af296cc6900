// What every call of a client shares, whichever HTTP it speaks: its limits and how it fails.
#pragma once

#include <degu/base/error.h>
#include <degu/base/time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// What a call stops at. Durations of 0: no limit.
struct CallLimits {
  TimePoint deadline = kNever;       ///< until the head has come
  TimePoint body_deadline = kNever;  ///< of the answer's body
  std::chrono::nanoseconds head_timeout{0};
  std::chrono::nanoseconds idle_timeout{0};
  std::size_t max_header_bytes = 0;
  uint64_t max_body_bytes = 0;
};

inline constexpr int kMaxInterim = 16;  ///< heads of 1xx before an answer
inline constexpr std::chrono::nanoseconds kContinuePatience = std::chrono::seconds(1);
/// What a server has said before it broke off is read, if it is there.
inline constexpr std::chrono::nanoseconds kLastWords = std::chrono::seconds(1);

/// No answer came. `reached`: the server may have acted on the request, or a part of it.
class NotAnswered : public Error {
 public:
  NotAnswered(const std::string& why, bool reached) : Error(Code::kUnavailable, why), reached_(reached) {}
  bool reached() const noexcept { return reached_; }

 private:
  bool reached_;
};

/// Unwinds the caller's BodyWriter.
class UploadStopped : public Error {
 public:
  UploadStopped() : Error(Code::kUnavailable, "the server wants no more of the request's body") {}
};

inline TimePoint earlier(TimePoint deadline, std::chrono::nanoseconds limit) {
  return limit.count() > 0 ? std::min(deadline, after_delay(now(), limit)) : deadline;
}

inline Error too_large(std::string_view what) {
  return {Code::kResourceExhausted, std::string("the response's ").append(what).append(" is too large")};
}

/// Waiting for the answer was over at a limit.
inline DeadlineExceeded not_in_time(TimePoint deadline) {
  return DeadlineExceeded(now() >= deadline ? "the server did not answer in time" : "the server has stalled");
}

}  // namespace degu::http::internal
