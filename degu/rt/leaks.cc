#include <degu/rt/internal/parked.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/leaks.h>
#include <dirent.h>

#include <algorithm>

namespace degu::rt {
namespace {

constexpr int kYieldsBeforeSleep = 200;

struct Look {
  const std::vector<uint64_t>& known;
  const G* self;
  std::vector<std::pair<uint64_t, const G*>> left{};
  bool quiet = true;  // nobody but the caller and foreign threads can make anybody go on
};

// Waits that only another goroutine can end. Timers are looked at in one for all.
bool sleeps_until_woken(const G& g) noexcept {
  if (!is_parked(g)) return false;
  switch (g.reason.load(std::memory_order_relaxed)) {
    case WaitReason::kIoRead:
    case WaitReason::kIoWrite:
    case WaitReason::kSignal:
    case WaitReason::kOther:
      return false;
    default:
      return true;
  }
}

// Plain fields of goroutines that run: a number that is read while the record changes hands is one of the two.
[[gnu::noinline]] DEGU_UNSANITIZED uint64_t id_of(const G& g) noexcept { return g.id; }
[[gnu::noinline]] DEGU_UNSANITIZED bool is_thread(const G& g) noexcept { return g.is_thread; }

void look_at(G& g, void* arg) {
  auto& look = *static_cast<Look*>(arg);
  if (&g == look.self || g.status.load(std::memory_order_acquire) == Status::kFree) return;
  if (is_thread(g)) return;
  if (!sleeps_until_woken(g)) look.quiet = false;
  const uint64_t id = id_of(g);
  if (!std::binary_search(look.known.begin(), look.known.end(), id)) look.left.emplace_back(id, &g);
}

std::size_t count_descriptors() {
  DIR* dir = ::opendir("/proc/self/fd");
  if (dir == nullptr) return 0;
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(dir)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(dir);
  return count - 1;  // the one of this look
}

}  // namespace

std::vector<uint64_t> living_goroutines() {
  std::vector<uint64_t> ids;
  visit_gs(
      [](G& g, void* arg) {
        if (g.status.load(std::memory_order_acquire) == Status::kFree || is_thread(g)) return;
        static_cast<std::vector<uint64_t>*>(arg)->push_back(id_of(g));
      },
      &ids);
  std::sort(ids.begin(), ids.end());
  return ids;
}

Leftovers goroutines_left(const std::vector<uint64_t>& known, std::chrono::nanoseconds patience) {
  shield(+1);
  const int64_t until = clock_ns() + patience.count();
  Scheduler* sched = default_scheduler();
  Look look{known, current()};
  bool was_quiet = false;
  for (int round = 0;; ++round) {
    look.left.clear();
    look.quiet = sched == nullptr || (earliest_timer(*sched) == kNoTimer && !is_anyone_blocking(*sched));
    visit_gs(&look_at, &look);
    if (look.left.empty() || (look.quiet && was_quiet) || clock_ns() >= until) break;
    was_quiet = look.quiet;
    if (round < kYieldsBeforeSleep) {
      yield();
    } else {
      sleep(std::chrono::milliseconds(1));
    }
  }
  Leftovers result;
  std::sort(look.left.begin(), look.left.end());
  result.count = look.left.size();
  for (const auto& [id, g] : look.left) append_goroutine(result.text, *g);
  shield(-1);
  return result;
}

Resources resources_in_use() { return {stacks_in_use(), count_descriptors(), cancel_nodes_alive()}; }

}  // namespace degu::rt
