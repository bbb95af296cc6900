// The block and mutex profiles: sampled as in Go's runtime/mprof.go (saveblockevent, mutexevent).
#include <degu/base/random.h>
#include <degu/rt/internal/contention.h>
#include <degu/rt/internal/frames.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/profile.h>

#include <algorithm>
#include <unordered_map>

namespace degu::rt {
namespace {

constexpr std::size_t kMaxStacks = 20'000;  // further ones are dropped

struct StackHash {
  std::size_t operator()(const std::vector<uintptr_t>& stack) const noexcept {
    uint64_t hash = 14695981039346656037ULL;
    for (const uintptr_t pc : stack) hash = (hash ^ pc) * 1099511628211ULL;
    return hash;
  }
};

struct Events {
  double count = 0;
  double nanos = 0;
};

// The profile that grows. Its lock is a leaf.
struct Contention {
  std::atomic<int64_t> rate{0};  // nanoseconds for blocking, one of how many for mutexes
  Lock lock;
  std::unordered_map<std::vector<uintptr_t>, Events, StackHash> stacks;

  void add(double count, double nanos, const Frames& frames, std::size_t own_frames) {
    const std::size_t skip = std::min(own_frames, frames.count);
    std::vector<uintptr_t> stack(frames.pcs + skip, frames.pcs + frames.count);
    lock.lock();
    if (stacks.size() < kMaxStacks || stacks.contains(stack)) {
      Events& events = stacks[std::move(stack)];
      events.count += count;
      events.nanos += nanos;
    }
    lock.unlock();
  }

  Profile profile() {
    Profile result;
    result.types = {{"contentions", "count"}, {"delay", "nanoseconds"}};
    result.period_type = {"contentions", "count"};
    result.period = 1;
    lock.lock();
    for (const auto& [stack, events] : stacks) {
      result.samples.push_back(
          {stack, {static_cast<int64_t>(events.count), static_cast<int64_t>(events.nanos)}, {}});
    }
    lock.unlock();
    return result;
  }
};

Contention& blocks() noexcept {
  static auto* c = new Contention;  // never destroyed: threads may outlive main
  return *c;
}
Contention& mutexes() noexcept {
  static auto* c = new Contention;
  return *c;
}

bool counts_as_blocking(WaitReason reason) noexcept {
  switch (reason) {
    case WaitReason::kNone:
    case WaitReason::kSleep:
    case WaitReason::kIoRead:
    case WaitReason::kIoWrite:
    case WaitReason::kSignal:
    case WaitReason::kBlocking:
    case WaitReason::kContext:
    case WaitReason::kOther:
      return false;
    default:
      return true;
  }
}

bool is_lock(WaitReason reason) noexcept {
  return reason == WaitReason::kMutex || reason == WaitReason::kRWMutex || reason == WaitReason::kRWMutexRead;
}

double waited_ns(const G& g) noexcept {
  const int64_t since = g.wait_since_ns.load(std::memory_order_relaxed);
  return static_cast<double>(std::max<int64_t>(clock_ns() - since, 1));
}

double random_below(double limit) noexcept {
  constexpr double kTwo64 = 18446744073709551616.0;
  return static_cast<double>(random_u64()) / kTwo64 * limit;
}

void record_block(const G& g, WaitReason reason, double nanos) noexcept {
  const auto rate = static_cast<double>(blocks().rate.load(std::memory_order_relaxed));
  if (rate == 0 || !counts_as_blocking(reason)) return;
  const bool is_long = nanos >= rate;
  if (!is_long && random_below(rate) >= nanos) return;
  Frames frames;
  walk_saved(g.sp, reinterpret_cast<uintptr_t>(g.stack.low), reinterpret_cast<uintptr_t>(g.stack.top()),
             frames);
  constexpr std::size_t kOwn = 2;  // the switch and park()
  blocks().add(is_long ? 1 : rate / nanos, is_long ? nanos : rate, frames, kOwn);
}

void set_rate(Contention& profile, int64_t rate) noexcept {
  profile.rate.store(std::max<int64_t>(rate, 0), std::memory_order_relaxed);
  const bool on = blocks().rate.load(std::memory_order_relaxed) != 0 ||
                  mutexes().rate.load(std::memory_order_relaxed) != 0;
  contention_profiles.store(on ? 1 : 0, std::memory_order_relaxed);
}

}  // namespace

[[gnu::noinline]] void record_ready(const G& g) noexcept {
  const WaitReason reason = g.reason.load(std::memory_order_relaxed);
  const double nanos = waited_ns(g);
  record_block(g, reason, nanos);
  const auto fraction = static_cast<double>(mutexes().rate.load(std::memory_order_relaxed));
  if (fraction == 0 || !is_lock(reason) || random_below(fraction) >= 1) return;
  Frames frames;
  walk_own(frames);                // empty for a deadline or a foreign thread
  constexpr std::size_t kOwn = 2;  // this function and ready()
  if (frames.count > kOwn) mutexes().add(fraction, fraction * nanos, frames, kOwn);
}

void set_block_profile_rate(std::chrono::nanoseconds rate) noexcept { set_rate(blocks(), rate.count()); }
std::chrono::nanoseconds block_profile_rate() noexcept {
  return std::chrono::nanoseconds(blocks().rate.load(std::memory_order_relaxed));
}
Profile block_profile() { return blocks().profile(); }

void set_mutex_profile_fraction(uint32_t fraction) noexcept { set_rate(mutexes(), fraction); }
uint32_t mutex_profile_fraction() noexcept {
  return static_cast<uint32_t>(mutexes().rate.load(std::memory_order_relaxed));
}
Profile mutex_profile() { return mutexes().profile(); }

}  // namespace degu::rt
