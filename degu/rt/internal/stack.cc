// Stacks of a class come from slabs: one MAP_NORESERVE mapping of many equal slots, each slot a guard and a
// stack. Slabs are never unmapped, so a slot can be recognised from a fault address for ever. On Linux 6.13+
// guards are markers in the page tables (MADV_GUARD_INSTALL), which cost no mapping of their own; older
// kernels get mprotect, two mappings a stack.
#include <degu/base/assert.h>
#include <degu/rt/internal/stack.h>
#include <degu/rt/internal/switch.h>
#include <degu/rt/lock.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace degu::rt {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kGuardBytes = 16 * 1024;
constexpr std::size_t kStackBatch = 32;
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
  std::deque<Stack> free;    // last used last
  std::size_t least = 0;     // the fewest in `free` since the last stack_trim(): so many were not needed
  std::vector<Stack> empty;  // without memory
  char* fresh = nullptr;     // next never-used slot of the newest slab
  char* fresh_end = nullptr;
  std::size_t made = 0;
};

Lock depot_lock;  // guards depots, forgotten and appending to slabs
std::size_t forgotten = 0;

std::array<Depot, kStackClasses.size()>& depots() {
  static auto* all =
      new std::array<Depot, kStackClasses.size()>;  // never destroyed: threads may outlive main
  return *all;
}

Stack stack_at(char* slot, std::size_t slot_bytes, uint8_t size_class) noexcept {
  Stack stack;
  stack.low = slot + kGuardBytes;
  stack.size = static_cast<uint32_t>(slot_bytes - kGuardBytes);
  stack.size_class = size_class;
  return stack;
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

// <asm-generic/mman-common.h> since 6.13; not in glibc's headers yet.
constexpr int kMadvGuardInstall = 102;

#ifndef DEGU_ASAN  // LeakSanitizer reads whole mappings and would fault on a marker it cannot see
constexpr bool kMayMark = true;
#else
constexpr bool kMayMark = false;
#endif

// One system call for many ranges of our own memory; false where the kernel does not offer it.
bool advise_all(const iovec* ranges, std::size_t count, int advice) noexcept {
  constexpr int kSelf = -10000;  // PIDFD_SELF_THREAD, <linux/pidfd.h> since 6.14
  static std::atomic<bool> offered{true};
  if (!offered.load(std::memory_order_relaxed)) return false;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) bytes += ranges[i].iov_len;
  if (::syscall(SYS_process_madvise, kSelf, ranges, count, advice, 0) == static_cast<long>(bytes))
    return true;
  offered.store(false, std::memory_order_relaxed);
  return false;
}

void install_guard(char* slot) noexcept {
  static std::atomic<bool> has_markers{kMayMark};
  if (has_markers.load(std::memory_order_relaxed)) {
    if (::madvise(slot, kGuardBytes, kMadvGuardInstall) == 0) return;
    has_markers.store(false, std::memory_order_relaxed);
  }
  // May fail at vm.max_map_count; the stack then works without a guard, which beats refusing the goroutine.
  ::mprotect(slot, kGuardBytes, PROT_NONE);
}

void install_guards(const Stack* stacks, std::size_t count) noexcept {
  if (kMayMark && count > 1) {
    std::array<iovec, kStackBatch> guards;
    for (std::size_t i = 0; i < count; ++i) guards[i] = {stacks[i].low - kGuardBytes, kGuardBytes};
    if (advise_all(guards.data(), count, kMadvGuardInstall)) return;
  }
  for (std::size_t i = 0; i < count; ++i) install_guard(stacks[i].low - kGuardBytes);
}

// Their first pages, which a goroutine is about to touch: cheaper than a fault each.
void supply_tops(const Stack* stacks, std::size_t count) noexcept {
#ifdef MADV_POPULATE_WRITE
  std::array<iovec, kStackBatch> tops;
  for (std::size_t i = 0; i < count; ++i) tops[i] = {stacks[i].top() - kPageBytes, kPageBytes};
  advise_all(tops.data(), count, MADV_POPULATE_WRITE);
#endif
}

// Takes pooled stacks and, when there are none, up to `want` new ones, the number of which is returned in `fresh`.
// Caller holds depot_lock.
std::size_t take_locked(uint8_t size_class, Stack* out, std::size_t want, std::size_t& fresh) noexcept {
  Depot& depot = depots()[size_class];
  std::size_t count = 0;
  for (; count < want && !depot.free.empty(); ++count) {
    out[count] = depot.free.back();
    depot.free.pop_back();
  }
  depot.least = std::min(depot.least, depot.free.size());
  for (; count < want && !depot.empty.empty(); ++count) {
    out[count] = depot.empty.back();
    depot.empty.pop_back();
  }
  fresh = 0;
  if (count != 0) return count;
  if (depot.fresh == depot.fresh_end) add_slab(size_class, depot);
  // By an eighth of what there is, so that few are taken in vain.
  const std::size_t most = std::min<std::size_t>(want, 1 + depot.made / 8);
  for (; count < most && depot.fresh != depot.fresh_end; ++count) {
    out[count] = stack_at(depot.fresh, kStackClasses[size_class], size_class);
    depot.fresh += kStackClasses[size_class];
  }
  depot.made += count;
  fresh = count;
  return count;
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

std::size_t stack_allocate(uint8_t size_class, Stack* out, std::size_t want) noexcept {
  std::size_t fresh = 0;
  depot_lock.lock();
  const std::size_t count = take_locked(size_class, out, std::min(want, kStackBatch), fresh);
  depot_lock.unlock();
  if (fresh != 0) install_guards(out, fresh);
  if (fresh > 1) supply_tops(out, fresh);
  return count;
}

Stack stack_allocate(uint8_t size_class) noexcept {
  Stack stack;
  stack_allocate(size_class, &stack, 1);
  return stack;
}

void stack_release(const Stack* stacks, std::size_t count) noexcept {
  depot_lock.lock();
  for (std::size_t i = 0; i < count; ++i) depots()[stacks[i].size_class].free.push_back(stacks[i]);
  depot_lock.unlock();
}

void stack_forget() noexcept {
  depot_lock.lock();
  ++forgotten;
  depot_lock.unlock();
}

std::size_t stack_touched(const Stack& stack) noexcept {
  constexpr std::size_t kPage = 4096;
  const std::size_t pages = stack.size / kPage;
  std::array<unsigned char, 8 * 1024 * 1024 / kPage> present;
  if (::mincore(stack.low, stack.size, present.data()) != 0) return 0;
  const unsigned char* const begin = present.data();
  const unsigned char* const end = begin + pages;
  const auto* first = std::find_if(begin, end, [](unsigned char page) { return (page & 1) != 0; });
  return static_cast<std::size_t>(end - first) * kPage;
}

bool stack_drop(const Stack& stack) noexcept {
  // The stack's upper end is the slot's, so both ends are page boundaries. Guards survive.
  return ::madvise(stack.low, stack.size, MADV_DONTNEED) == 0;
}

std::size_t stack_trim() noexcept {
  constexpr std::size_t kMost = 1024;
  std::size_t trimmed = 0;
  for (Depot& depot : depots()) {
    // Taken out while it is done: a stack that is in use must not be touched.
    depot_lock.lock();
    const std::size_t count = std::min((std::min(depot.least, depot.free.size()) + 1) / 2, kMost);
    const std::vector<Stack> idle(depot.free.begin(),
                                  depot.free.begin() + static_cast<std::ptrdiff_t>(count));
    depot.free.erase(depot.free.begin(), depot.free.begin() + static_cast<std::ptrdiff_t>(count));
    depot.least = depot.free.size();
    depot_lock.unlock();
    for (const Stack& stack : idle) stack_drop(stack);
    depot_lock.lock();
    depot.empty.insert(depot.empty.end(), idle.begin(), idle.end());
    depot_lock.unlock();
    trimmed += count;
  }
  return trimmed;
}

// All slots ever taken from a slab, less those that are free.
std::size_t stacks_in_use() noexcept {
  depot_lock.lock();
  std::size_t taken = 0;
  const std::size_t count = slab_count.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < count; ++i) taken += kSlabBytes / slabs[i].slot_bytes;
  for (std::size_t c = 0; c < kStackClasses.size(); ++c) {
    const Depot& depot = depots()[c];
    taken -= depot.free.size() + depot.empty.size() +
             static_cast<std::size_t>(depot.fresh_end - depot.fresh) / kStackClasses[c];
  }
  taken -= forgotten;
  depot_lock.unlock();
  return taken;
}

bool stack_guard_hit(const void* address, Stack* stack) noexcept {
  const auto* p = static_cast<const char*>(address);
  const std::size_t count = slab_count.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    const Slab& slab = slabs[i];
    if (p < slab.base || p >= slab.base + kSlabBytes) continue;
    const std::size_t slot = static_cast<std::size_t>(p - slab.base) / slab.slot_bytes;
    char* low = slab.base + slot * slab.slot_bytes;
    *stack = stack_at(low, slab.slot_bytes, slab.size_class);
    return p < low + kGuardBytes;
  }
  return false;
}

}  // namespace degu::rt
