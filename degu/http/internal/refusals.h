// Refusals: counts what a server turns away, and tells its observer.
#pragma once

#include <degu/http/refusal.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace degu::http::internal {

/// Those of one server. Thread-safe.
class Refusals {
 public:
  explicit Refusals(std::shared_ptr<RefusalObserver> observer) noexcept : observer_(std::move(observer)) {}

  /// Counts it, here and in the process's metric degu_http_refusals_total. A path with a query, or a long one, is cut.
  void note(Refusal refusal) noexcept;
  uint64_t count(RefusalCause cause) const noexcept {
    return counts_[static_cast<std::size_t>(cause)].load(std::memory_order_relaxed);
  }

 private:
  const std::shared_ptr<RefusalObserver> observer_;
  std::array<std::atomic<uint64_t>, kRefusalCauses> counts_{};  // relaxed: they guard no other memory
};

/// Why a request is refused that is answered so.
RefusalCause cause_of(int status) noexcept;

struct RequestLine {
  std::string_view method;
  std::string_view target;
};
/// What can be told of a head that was not read to its end: the first line's method, and the target as far as it came. Empty
/// where it does not begin as a request.
RequestLine first_line(std::string_view head) noexcept;

}  // namespace degu::http::internal
