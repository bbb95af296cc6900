// degu::heap_profiler: replaces operator new and delete in the programs that link it. After Go's runtime/mprof.go:
// each thread draws the number of bytes to its next sample from an exponential distribution, so that an object of n
// bytes is sampled with probability 1 - exp(-n / interval), and counts for the inverse of that. What is freed is
// looked up only when its address may be that of a sample: a table of counters by address says no for nearly all.
//
// Nothing here may use operator new: containers take malloc.
#include <degu/base/random.h>
#include <degu/rt/internal/frames.h>
#include <degu/rt/internal/heap_hook.h>
#include <degu/rt/lock.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <new>
#include <unordered_map>
#include <vector>

namespace degu::rt {
namespace {

constexpr double kInterval = 512 * 1024;
constexpr std::size_t kFilterSlots = 1 << 16;

template <class T>
struct Malloc {
  using value_type = T;
  Malloc() = default;
  template <class U>
  Malloc(const Malloc<U>&) noexcept {}
  T* allocate(std::size_t n) {
    void* p = std::malloc(n * sizeof(T));
    if (p == nullptr) throw std::bad_alloc();
    return static_cast<T*>(p);
  }
  void deallocate(T* p, std::size_t) noexcept { std::free(p); }
  template <class U>
  bool operator==(const Malloc<U>&) const noexcept {
    return true;
  }
};

using Stack = std::vector<uintptr_t, Malloc<uintptr_t>>;

struct Site {
  double alloc_objects = 0;
  double alloc_bytes = 0;
  double inuse_objects = 0;
  double inuse_bytes = 0;
};
using Sites = std::map<Stack, Site, std::less<>, Malloc<std::pair<const Stack, Site>>>;

struct Live {
  Site* site;  // sites stay where they are
  double weight;
  double bytes;
};
using LiveMap =
    std::unordered_map<void*, Live, std::hash<void*>, std::equal_to<>, Malloc<std::pair<void* const, Live>>>;

struct Heap {
  Lock lock;  // a leaf
  Sites sites;
  LiveMap live;
  std::array<std::atomic<uint16_t>, kFilterSlots> filter{};
};

Heap& heap() noexcept {
  static Heap* h =
      ::new (std::malloc(sizeof(Heap))) Heap;  // never destroyed: objects are freed until the end
  return *h;
}

std::atomic<uint16_t>& filter_of(void* p) noexcept {
  const auto hash = (reinterpret_cast<uintptr_t>(p) >> 4) * 0x9e3779b97f4a7c15ULL;
  return heap().filter[hash >> 48];
}

// What a thread keeps. The address may not outlive a suspension; nothing here suspends.
struct ThreadState {
  int64_t left = 0;  // bytes to the next sample
  bool seeded = false;
  bool inside = false;  // of the profiler itself
};
thread_local constinit ThreadState tls_state;

int64_t next_distance() noexcept {
  const double uniform = (static_cast<double>(random_u64() >> 11) + 1) * 0x1.0p-53;  // (0, 1]
  return static_cast<int64_t>(-std::log(uniform) * kInterval) + 1;
}

[[gnu::noinline]] void sample(ThreadState& state, void* p, std::size_t bytes) noexcept {
  const bool first = !state.seeded;
  state.seeded = true;
  state.inside = true;
  state.left = next_distance();
  if (!first) {
    Frames frames;
    walk_own(frames);
    constexpr std::size_t kOwn = 2;  // this function and operator new
    const std::size_t skip = frames.count < kOwn ? frames.count : kOwn;
    const auto size = static_cast<double>(bytes);
    const double weight = 1 / -std::expm1(-size / kInterval);
    Heap& h = heap();
    h.lock.lock();
    Site& site = h.sites[Stack(frames.pcs + skip, frames.pcs + frames.count)];
    site.alloc_objects += weight;
    site.alloc_bytes += weight * size;
    site.inuse_objects += weight;
    site.inuse_bytes += weight * size;
    h.live[p] = {&site, weight, size};
    h.lock.unlock();
    filter_of(p).fetch_add(1, std::memory_order_relaxed);
  }
  state.inside = false;
}

[[gnu::noinline]] void forget(void* p) noexcept {
  Heap& h = heap();
  h.lock.lock();
  const auto it = h.live.find(p);
  const bool was_sample = it != h.live.end();
  if (was_sample) {
    const Live& live = it->second;
    live.site->inuse_objects -= live.weight;
    live.site->inuse_bytes -= live.weight * live.bytes;
    h.live.erase(it);
  }
  h.lock.unlock();
  if (was_sample) filter_of(p).fetch_sub(1, std::memory_order_relaxed);
}

[[gnu::always_inline]] inline void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
  if (bytes == 0) bytes = 1;
  void* p = alignment <= alignof(std::max_align_t)
                ? std::malloc(bytes)
                : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  ThreadState& state = tls_state;
  state.left -= static_cast<int64_t>(bytes);
  if (state.left < 0 && p != nullptr && !state.inside) [[unlikely]]
    sample(state, p, bytes);
  return p;
}

[[gnu::always_inline]] inline void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  while (true) {
    if (void* p = allocate(bytes, alignment); p != nullptr) return p;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

// Not inline: GCC would take the free() for one of operator new's (-Wmismatched-new-delete).
[[gnu::noinline]] void release(void* p) noexcept {
  if (p != nullptr && filter_of(p).load(std::memory_order_relaxed) != 0) [[unlikely]]
    forget(p);
  std::free(p);
}

Profile profile() {
  // Copied by malloc under the lock, then turned into the profile, which takes operator new.
  std::vector<std::pair<Stack, Site>, Malloc<std::pair<Stack, Site>>> copy;
  Heap& h = heap();
  h.lock.lock();
  for (const auto& [stack, site] : h.sites) copy.emplace_back(stack, site);
  h.lock.unlock();
  Profile result;
  result.types = {{"alloc_objects", "count"},
                  {"alloc_space", "bytes"},
                  {"inuse_objects", "count"},
                  {"inuse_space", "bytes"}};
  result.period_type = {"space", "bytes"};
  result.period = static_cast<int64_t>(kInterval);
  for (const auto& [stack, site] : copy) {
    result.samples.push_back({{stack.begin(), stack.end()},
                              {std::llround(site.alloc_objects), std::llround(site.alloc_bytes),
                               std::llround(site.inuse_objects), std::llround(site.inuse_bytes)},
                              {}});
  }
  return result;
}

const bool installed = (set_heap_source(&profile), true);

}  // namespace
}  // namespace degu::rt

using degu::rt::allocate;
using degu::rt::allocate_or_throw;
using degu::rt::release;

void* operator new(std::size_t n) { return allocate_or_throw(n, 0); }
void* operator new[](std::size_t n) { return allocate_or_throw(n, 0); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, 0); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, 0); }
void* operator new(std::size_t n, std::align_val_t a) {
  return allocate_or_throw(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a) {
  return allocate_or_throw(n, static_cast<std::size_t>(a));
}
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { release(p); }
