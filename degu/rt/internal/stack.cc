// Stacks of a class come from slabs: one MAP_NORESERVE mapping of many equal slots, each slot a guard and a
// stack. Slabs are never unmapped, so a slot can be recognised from a fault address for ever. On Linux 6.13+
// guards are markers in the page tables (MADV_GUARD_INSTALL), which cost no mapping of their own; older
// kernels get mprotect, two mappings a stack.
#include <degu/base/assert.h>
#include <degu/rt/internal/stack.h>
#include <degu/rt/internal/switch.h>
#include <degu/rt/lock.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <vector>

namespace degu::rt {
namespace {

constexpr std::size_t kGuardBytes = 16 * 1024;
constexpr std::size_t kSlabBytes = 64 * 1024 * 1024;
constexpr std::size_t kMaxSlabs = 1 << 14;  // 1 TiB of address space

struct Slab {
  char* base;
  std::size_t slot_bytes;
  uint8_t size_class;
};

// Append-only and read without a lock by the signal handler: a slab is published by the count.
Slab slabs[kMaxSlabs];
std::atomic<std::size_t> slab_count{0};

struct Depot {
  std::vector<Stack> free;  // last used last
  char* fresh = nullptr;    // next never-used slot of the newest slab
  char* fresh_end = nullptr;
};

Lock depot_lock;  // guards depots and appending to slabs

std::array<Depot, kStackClasses.size()>& depots() {
  static auto* all =
      new std::array<Depot, kStackClasses.size()>;  // never destroyed: threads may outlive main
  return *all;
}

void add_slab(uint8_t size_class, Depot& depot) noexcept {
  const std::size_t slot = kStackClasses[size_class];
  void* base =
      ::mmap(nullptr, kSlabBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  DEGU_CHECK(base != MAP_FAILED,
             "no address space for more goroutine stacks (errno {}); raise the limit (ulimit -v, "
             "vm.max_map_count) or start "
             "fewer goroutines",
             errno);
  ::madvise(base, kSlabBytes, MADV_NOHUGEPAGE);
  const std::size_t index = slab_count.load(std::memory_order_relaxed);
  DEGU_CHECK(index < kMaxSlabs, "more than {} stack slabs", kMaxSlabs);
  slabs[index] = {static_cast<char*>(base), slot, size_class};
  slab_count.store(index + 1, std::memory_order_release);  // pairs with stack_guard_hit
  depot.fresh = static_cast<char*>(base);
  depot.fresh_end = depot.fresh + kSlabBytes;
}

void install_guard(char* slot) noexcept {
#ifndef DEGU_ASAN  // LeakSanitizer reads whole mappings and would fault on a marker it cannot see
  constexpr int kMadvGuardInstall =
      102;  // <asm-generic/mman-common.h> since 6.13; not in glibc's headers yet
  static std::atomic<bool> has_markers{true};
  if (has_markers.load(std::memory_order_relaxed)) {
    if (::madvise(slot, kGuardBytes, kMadvGuardInstall) == 0) return;
    has_markers.store(false, std::memory_order_relaxed);
  }
#endif
  // May fail at vm.max_map_count; the stack then works without a guard, which beats refusing the goroutine.
  ::mprotect(slot, kGuardBytes, PROT_NONE);
}

}  // namespace

uint8_t stack_class(std::size_t bytes) noexcept {
  if (bytes == 0) return kDefaultStackClass;
  for (uint8_t c = 0; c < kStackClasses.size(); ++c) {
    if (bytes <= kStackClasses[c] - kGuardBytes) return c;
  }
  DEGU_CHECK(false, "a goroutine stack of {} bytes was asked for; the largest is {}", bytes,
             kStackClasses.back());
  return 0;
}

Stack stack_allocate(uint8_t size_class) noexcept {
  depot_lock.lock();
  Depot& depot = depots()[size_class];
  if (!depot.free.empty()) {
    const Stack stack = depot.free.back();
    depot.free.pop_back();
    depot_lock.unlock();
    return stack;
  }
  if (depot.fresh == depot.fresh_end) add_slab(size_class, depot);
  char* slot = depot.fresh;
  depot.fresh += kStackClasses[size_class];
  depot_lock.unlock();
  install_guard(slot);
  return {slot + kGuardBytes, kStackClasses[size_class] - kGuardBytes, size_class, nullptr};
}

void stack_release(const Stack* stacks, std::size_t count) noexcept {
  depot_lock.lock();
  for (std::size_t i = 0; i < count; ++i) depots()[stacks[i].size_class].free.push_back(stacks[i]);
  depot_lock.unlock();
}

bool stack_guard_hit(const void* address, Stack* stack) noexcept {
  const auto* p = static_cast<const char*>(address);
  const std::size_t count = slab_count.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    const Slab& slab = slabs[i];
    if (p < slab.base || p >= slab.base + kSlabBytes) continue;
    const std::size_t slot = static_cast<std::size_t>(p - slab.base) / slab.slot_bytes;
    char* low = slab.base + slot * slab.slot_bytes;
    *stack = {low + kGuardBytes, slab.slot_bytes - kGuardBytes, slab.size_class, nullptr};
    return p < low + kGuardBytes;
  }
  return false;
}

}  // namespace degu::rt
