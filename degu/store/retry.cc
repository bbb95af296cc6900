#include <degu/base/random.h>
#include <degu/store/retry.h>

#include <algorithm>

namespace degu::store {

std::chrono::milliseconds RetryPolicy::pause(int attempt) const noexcept {
  const int doublings = std::clamp(attempt - 1, 0, 30);
  const int64_t whole = std::min<int64_t>(first.count() << doublings, longest.count());
  const int64_t half = std::max<int64_t>(whole / 2, 1);
  return std::chrono::milliseconds(half +
                                   static_cast<int64_t>(random_u64() % static_cast<uint64_t>(half + 1)));
}

bool is_transient(Code code) noexcept {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded;
}

}  // namespace degu::store
