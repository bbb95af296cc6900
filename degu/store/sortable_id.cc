#include <degu/base/random.h>
#include <degu/store/sortable_id.h>
#include <degu/store/wall_clock.h>
#include <fmt/core.h>

#include <atomic>

namespace degu::store {

std::string sortable_id() {
  static std::atomic<uint64_t> last{0};  // milliseconds and count in one word
  const uint64_t fresh = static_cast<uint64_t>(wall_ms()) << 16;
  uint64_t seen = last.load(std::memory_order_relaxed);
  uint64_t mine;
  do {
    mine = seen < fresh ? fresh : seen + 1;
  } while (!last.compare_exchange_weak(seen, mine, std::memory_order_relaxed));
  return fmt::format("{:016x}{:012x}", mine, random_u64() >> 16);
}

}  // namespace degu::store
