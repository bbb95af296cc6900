// num_goroutines() counts records instead of starts and ends, so that go() does not pay for it.
#include <degu/rt/internal/sched.h>
#include <degu/rt/run.h>

namespace degu {
namespace {

// A plain field, written before the record's status says that it is in use.
[[gnu::noinline]] DEGU_UNSANITIZED bool is_thread(const rt::G& g) noexcept { return g.is_thread; }

}  // namespace

std::size_t num_goroutines() noexcept {
  std::size_t count = 0;
  rt::visit_gs(
      [](rt::G& g, void* arg) {
        if (g.status.load(std::memory_order_acquire) == rt::Status::kFree || is_thread(g)) return;
        ++*static_cast<std::size_t*>(arg);
      },
      &count);
  return count;
}

}  // namespace degu
