// Goroutine records: made in chunks, never freed, kept free per P and in a common pool. A record gets its
// stack when it first runs.
#include <degu/base/assert.h>
#include <degu/rt/internal/debug_layout.h>
#include <degu/rt/internal/sched.h>
#include <degu/rt/stack_use.h>
#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace degu::rt {
namespace {

constexpr std::size_t kChunk = GStack::kBundle;
constexpr std::size_t kChunkBytes = kChunk * sizeof(G);
constexpr uint64_t kIdBlock = 64;
// Chunks beyond these lie in slabs.
constexpr std::size_t kSmallChunks = 16;
constexpr std::size_t kSlabBytes = std::size_t{2} << 20;
constexpr std::size_t kPageBytes = 4096;

struct Pool {
  Lock lock;
  std::vector<GStack> bundles;
  GStack loose;            // what comes and goes one by one
  std::vector<G*> chunks;  // each an array of kChunk
  char* slab = nullptr;    // the rest of the newest
  std::size_t slab_left = 0;
  std::atomic<uint64_t> next_id{1};
};

Pool& pool() noexcept {
  static auto* p = new Pool;  // never destroyed: threads may outlive main
  return *p;
}

// Caller holds the pool's lock.
void* chunk_memory(Pool& common) noexcept {
  if (common.chunks.size() < kSmallChunks) return ::operator new (kChunkBytes, std::align_val_t{alignof(G)});
  if (common.slab_left < kChunkBytes) {
    common.slab = static_cast<char*>(::operator new (kSlabBytes, std::align_val_t{kPageBytes}));
    common.slab_left = kSlabBytes;
  }
  common.slab_left -= kChunkBytes;
  return std::exchange(common.slab, common.slab + kChunkBytes);
}

// The pages of a chunk of a slab, by one system call: a fault for each would cost more than all the rest. Huge pages
// would save the call, but a virtual machine may have to get each from its host: measured, twice as dear.
void supply(void* chunk) noexcept {
#ifdef MADV_POPULATE_WRITE
  const auto begin = reinterpret_cast<uintptr_t>(chunk) & ~(kPageBytes - 1);
  const auto end = (reinterpret_cast<uintptr_t>(chunk) + kChunkBytes + kPageBytes - 1) & ~(kPageBytes - 1);
  ::madvise(reinterpret_cast<void*>(begin), end - begin,
            MADV_POPULATE_WRITE);  // where it fails, they come by fault
#endif
}

GStack new_bundle(Pool& common) noexcept {
  common.lock.lock();
  void* memory = chunk_memory(common);
  common.lock.unlock();
  supply(memory);
  auto* records = static_cast<G*>(memory);
  std::uninitialized_value_construct_n(records, kChunk);
  GStack bundle;
  for (std::size_t i = kChunk; i-- > 0;) bundle.push(&records[i]);
  common.lock.lock();
  common.chunks.push_back(records);
  degu_rt_goroutine_chunks = {reinterpret_cast<void**>(common.chunks.data()), common.chunks.size(), kChunk};
  common.lock.unlock();
  return bundle;
}

GStack take_bundle() noexcept {
  Pool& common = pool();
  common.lock.lock();
  GStack bundle;
  if (!common.bundles.empty()) {
    bundle = common.bundles.back();
    common.bundles.pop_back();
  }
  common.lock.unlock();
  return bundle.size != 0 ? bundle : new_bundle(common);
}

void give_bundle(const GStack& bundle) noexcept {
  if (bundle.size == 0) return;
  Pool& common = pool();
  common.lock.lock();
  common.bundles.push_back(bundle);
  common.lock.unlock();
}

G* take_loose() noexcept {
  Pool& common = pool();
  common.lock.lock();
  while (common.loose.size == 0) {
    common.lock.unlock();
    const GStack bundle = take_bundle();
    common.lock.lock();
    if (common.loose.size == 0) {
      common.loose = bundle;
    } else {
      common.bundles.push_back(bundle);
    }
  }
  G* g = common.loose.pop();
  common.lock.unlock();
  return g;
}

// Different goroutines' hot frames must not all fall into the same cache sets.
std::size_t stack_colour(const G& g) noexcept { return (g.id * 5 % 8) * 128; }

}  // namespace

G* allocate_g(P* p) noexcept {
  G* g = nullptr;
  if (p != nullptr) {
    if (p->free_gs.size == 0) [[unlikely]]
      p->free_gs = p->spare_gs.size != 0 ? std::exchange(p->spare_gs, GStack{}) : take_bundle();
    g = p->free_gs.pop();
    __builtin_prefetch(p->free_gs.top, 1);
    if (p->next_id == p->last_id) [[unlikely]] {
      p->next_id = pool().next_id.fetch_add(kIdBlock, std::memory_order_relaxed);
      p->last_id = p->next_id + kIdBlock;
      flight_record(*p, FlightEvent::kCreate, p->next_id);
    }
    g->id = p->next_id++;
  } else {
    g = take_loose();
    g->id = pool().next_id.fetch_add(1, std::memory_order_relaxed);
  }
  start_flight(*g);
  g->next = nullptr;
  g->sp = nullptr;
  return g;
}

void free_g(P* p, G* g) noexcept {
  g->status.store(Status::kFree, std::memory_order_relaxed);
  g->sched.store(nullptr, std::memory_order_relaxed);
  if (p != nullptr) {
    p->free_gs.push(g);
    if (p->free_gs.size == GStack::kBundle) [[unlikely]]
      give_bundle(std::exchange(p->spare_gs, std::exchange(p->free_gs, GStack{})));
    return;
  }
  Pool& common = pool();
  common.lock.lock();
  common.loose.push(g);
  common.lock.unlock();
}

// The one that was used last is taken first.
static void refill_stacks(StackCache& cache) noexcept {
  cache.count = stack_allocate(kDefaultStackClass, cache.stacks.data(), StackCache::kCapacity / 2);
  std::reverse(cache.stacks.begin(), cache.stacks.begin() + static_cast<std::ptrdiff_t>(cache.count));
}

void attach_stack(P& p, G& g) noexcept {
  if (g.stack_class == kDefaultStackClass) {
    if (p.stacks.count == 0) refill_stacks(p.stacks);
    g.stack = p.stacks.stacks[--p.stacks.count];
  } else {
    g.stack = stack_allocate(g.stack_class);
  }
  if (stack_watch_one_in.load(std::memory_order_relaxed) != 0) [[unlikely]]
    g.watch_stack = begin_stack_watch(g);
  auto top = reinterpret_cast<uintptr_t>(g.stack.top()) - 64 - stack_colour(g);
  top &= ~uintptr_t{15};
  auto* words = reinterpret_cast<uintptr_t*>(top) - kSwitchWords;
  std::fill_n(words, kSwitchWords, uintptr_t{0});
  words[kSavedReturnWord] = reinterpret_cast<uintptr_t>(&degu_rt_entry);
  g.sp = words;
  g.eh = EhGlobals{};
#ifdef DEGU_ASAN
  g.fiber = {nullptr, g.stack.low, g.stack.size};
#endif
#ifdef DEGU_TSAN
  if (g.stack.tsan_fiber == nullptr) g.stack.tsan_fiber = __tsan_create_fiber(0);
  g.fiber.tsan = g.stack.tsan_fiber;
#endif
}

void detach_stack(P& p, G& g) noexcept {
  if (g.watch_stack) [[unlikely]] {
    g.watch_stack = false;
    end_stack_watch(g);
  }
#ifdef DEGU_ASAN
  __asan_unpoison_memory_region(g.stack.low, g.stack.size);
#endif
  g.sp = nullptr;
  const Stack stack = std::exchange(g.stack, Stack{});
  if (stack.size_class != kDefaultStackClass) {
    stack_release(&stack, 1);
    return;
  }
  if (p.stacks.count == StackCache::kCapacity) {
    constexpr std::size_t kKeep = StackCache::kCapacity / 2;
    stack_release(p.stacks.stacks.data(), StackCache::kCapacity - kKeep);  // the coldest ones
    std::copy(p.stacks.stacks.end() - kKeep, p.stacks.stacks.end(), p.stacks.stacks.begin());
    p.stacks.count = kKeep;
  }
  p.stacks.stacks[p.stacks.count++] = stack;
}

void visit_gs(void (*visit)(G& g, void* arg), void* arg) noexcept {
  Pool& common = pool();
  common.lock.lock();
  const std::vector<G*> chunks = common.chunks;
  common.lock.unlock();
  for (G* chunk : chunks) {
    for (std::size_t i = 0; i < kChunk; ++i) visit(chunk[i], arg);
  }
}

// Others may hold records that lie on its stack: what it waits for may live longer than the scheduler.
static bool is_queued_somewhere(const G& g) noexcept {
  if (g.status.load(std::memory_order_relaxed) != Status::kWaiting) return false;
  const WaitReason reason = g.reason.load(std::memory_order_relaxed);
  return reason != WaitReason::kSleep && reason != WaitReason::kIoRead && reason != WaitReason::kIoWrite;
}

// All threads of the scheduler have ended. Nothing of the goroutines is destroyed: their stacks may refer to
// anything. Those that others may still find keep their record and stack for ever, and waking them does nothing.
void abandon_goroutines(Scheduler& sched) noexcept {
  const uint32_t count = sched.p_count;
  for (uint32_t i = 0; i < count; ++i) drop_timers(*sched.ps[i]);
  visit_gs(
      [](G& g, void* arg) {
        auto& owner = *static_cast<Scheduler*>(arg);
        if (g.sched.load(std::memory_order_relaxed) != &owner ||
            g.status.load(std::memory_order_relaxed) == Status::kFree)
          return;
        if (CancelNode* node = std::exchange(g.registered, nullptr); node != nullptr) {
          node->remove(&g.cancel_waiter);
          node->unref();
        }
        g.context = nullptr;
        g.shield_depth = 0;
        g.blocking_depth = 0;
        g.own_thread = false;
        g.locked_m = nullptr;
        g.thread_locks = 0;
        g.has_deadline.store(false, std::memory_order_relaxed);
        ::new (static_cast<void*>(&g.body)) UniqueFunction<void()>();
        // Tickets that are still about must lose.
        const uint64_t seq = (g.wait_word.load(std::memory_order_relaxed) >> kWaitSeqShift) + 1;
        g.wait_word.store((seq << kWaitSeqShift) | kWaitClaimed | kWaitDone, std::memory_order_release);
        const OuterStack* outer = std::exchange(g.outer_stack, nullptr);
        if (is_queued_somewhere(g)) {
          g.sched.store(nullptr, std::memory_order_relaxed);
          g.status.store(Status::kFree, std::memory_order_relaxed);
#ifdef DEGU_TSAN
          __tsan_destroy_fiber(std::exchange(g.stack.tsan_fiber, nullptr));
#endif
          stack_forget();
          for (; outer != nullptr; outer = outer->outer) stack_forget();
          return;
        }
        while (outer != nullptr) {
          const Stack stack = outer->stack;
          outer = outer->outer;
#ifdef DEGU_ASAN
          __asan_unpoison_memory_region(stack.low, stack.size);
#endif
          stack_release(&stack, 1);
        }
        if (g.stack.low != nullptr) detach_stack(*owner.ps[0], g);
        free_g(nullptr, &g);
      },
      &sched);
  for (uint32_t i = 0; i < count; ++i) {
    P& p = *sched.ps[i];
    stack_release(p.stacks.stacks.data(), p.stacks.count);
    p.stacks.count = 0;
    give_bundle(std::exchange(p.free_gs, GStack{}));
    give_bundle(std::exchange(p.spare_gs, GStack{}));
  }
}

}  // namespace degu::rt
