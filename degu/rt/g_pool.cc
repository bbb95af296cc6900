// Goroutine records: made in chunks, never freed, kept free per P and in a common pool. A record gets its
// stack when it first runs.
#include <degu/base/assert.h>
#include <degu/rt/internal/sched.h>

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

namespace degu::rt {
namespace {

constexpr std::size_t kChunk = 64;
constexpr uint32_t kMaxFreePerP = 256;
constexpr uint64_t kIdBlock = 64;

struct Pool {
  Lock lock;
  G* free = nullptr;
  std::vector<G*> chunks;  // each an array of kChunk
  std::atomic<uint64_t> next_id{1};
};

Pool& pool() noexcept {
  static auto* p = new Pool;  // never destroyed: threads may outlive main
  return *p;
}

// Caller holds the pool's lock.
G* take_locked(Pool& p) noexcept {
  if (p.free == nullptr) {
    auto* chunk = new G[kChunk];
    p.chunks.push_back(chunk);
    for (std::size_t i = kChunk; i-- > 0;) p.free = (chunk[i].next = p.free, &chunk[i]);
  }
  return std::exchange(p.free, p.free->next);
}

void refill(P& p) noexcept {
  Pool& common = pool();
  common.lock.lock();
  for (uint32_t i = 0; i < kMaxFreePerP / 4; ++i) {
    G* g = take_locked(common);
    g->next = p.free_gs;
    p.free_gs = g;
  }
  common.lock.unlock();
  p.free_g_count = kMaxFreePerP / 4;
}

void spill(P& p) noexcept {
  Pool& common = pool();
  common.lock.lock();
  for (; p.free_g_count > kMaxFreePerP / 2; --p.free_g_count) {
    G* g = std::exchange(p.free_gs, p.free_gs->next);
    g->next = common.free;
    common.free = g;
  }
  common.lock.unlock();
}

// Different goroutines' hot frames must not all fall into the same cache sets.
std::size_t stack_colour(const G& g) noexcept { return (g.id * 5 % 8) * 128; }

}  // namespace

G* allocate_g(P* p) noexcept {
  G* g = nullptr;
  if (p != nullptr) {
    if (p->free_gs == nullptr) refill(*p);
    g = std::exchange(p->free_gs, p->free_gs->next);
    --p->free_g_count;
    if (p->next_id == p->last_id) {
      p->next_id = pool().next_id.fetch_add(kIdBlock, std::memory_order_relaxed);
      p->last_id = p->next_id + kIdBlock;
    }
    g->id = p->next_id++;
  } else {
    Pool& common = pool();
    common.lock.lock();
    g = take_locked(common);
    common.lock.unlock();
    g->id = common.next_id.fetch_add(1, std::memory_order_relaxed);
  }
  g->next = nullptr;
  g->sp = nullptr;
  return g;
}

void free_g(P* p, G* g) noexcept {
  g->status.store(Status::kFree, std::memory_order_relaxed);
  g->sched = nullptr;
  if (p != nullptr) {
    g->next = p->free_gs;
    p->free_gs = g;
    if (++p->free_g_count > kMaxFreePerP) spill(*p);
    return;
  }
  Pool& common = pool();
  common.lock.lock();
  g->next = common.free;
  common.free = g;
  common.lock.unlock();
}

void attach_stack(P& p, G& g) noexcept {
  if (g.stack_class == kDefaultStackClass && p.stacks.count != 0) {
    g.stack = p.stacks.stacks[--p.stacks.count];
  } else {
    g.stack = stack_allocate(g.stack_class);
  }
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
#ifdef DEGU_ASAN
  __asan_unpoison_memory_region(g.stack.low, g.stack.size);
#endif
  g.sp = nullptr;
  if (g.stack.size_class != kDefaultStackClass) {
    stack_release(&g.stack, 1);
    return;
  }
  if (p.stacks.count == StackCache::kCapacity) {
    constexpr std::size_t kKeep = StackCache::kCapacity / 2;
    stack_release(p.stacks.stacks.data(), StackCache::kCapacity - kKeep);  // the coldest ones
    std::copy(p.stacks.stacks.end() - kKeep, p.stacks.stacks.end(), p.stacks.stacks.begin());
    p.stacks.count = kKeep;
  }
  p.stacks.stacks[p.stacks.count++] = g.stack;
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

// All threads of the scheduler have ended. Nothing of the goroutines is destroyed: their stacks may refer to
// anything.
void abandon_goroutines(Scheduler& sched) noexcept {
  for (uint32_t i = 0; i < sched.procs; ++i) drop_timers(sched.ps[i]);
  visit_gs(
      [](G& g, void* arg) {
        auto& owner = *static_cast<Scheduler*>(arg);
        if (g.sched != &owner || g.status.load(std::memory_order_relaxed) == Status::kFree) return;
        if (g.registered != nullptr) g.registered->remove(&g.cancel_waiter);
        g.registered = nullptr;
        g.context = nullptr;
        g.shield_depth = 0;
        ::new (static_cast<void*>(&g.body)) UniqueFunction<void()>();
        // Tickets that are still about must lose.
        const uint64_t seq = (g.wait_word.load(std::memory_order_relaxed) >> kWaitSeqShift) + 1;
        g.wait_word.store((seq << kWaitSeqShift) | kWaitClaimed | kWaitDone, std::memory_order_release);
        if (g.sp != nullptr) detach_stack(owner.ps[0], g);
        free_g(nullptr, &g);
      },
      &sched);
  for (uint32_t i = 0; i < sched.procs; ++i) {
    P& p = sched.ps[i];
    stack_release(p.stacks.stacks.data(), p.stacks.count);
    p.stacks.count = 0;
    while (p.free_gs != nullptr) free_g(nullptr, std::exchange(p.free_gs, p.free_gs->next));
  }
}

}  // namespace degu::rt
