// Allocs, of golang/go src/context/context_test.go: how many allocations contexts cost. This file replaces the global
// operator new of its test program.
#include <degu/context/after_func.h>
#include <degu/context/cancel_scope.h>
#include <degu/context/context.h>
#include <degu/rt/run.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {
std::atomic<uint64_t> allocations{0};
}

[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace degu {
namespace {

using namespace std::chrono_literals;

constexpr ContextKey<int> kNumber{"number"};

// Of several runs the cheapest: caches are warm, and threads of the runtime may allocate beside some of them.
template <class F>
uint64_t cost(F body) {
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < 20; ++i) {
    const uint64_t before = allocations.load(std::memory_order_relaxed);
    body();
    least = std::min(least, allocations.load(std::memory_order_relaxed) - before);
  }
  return least;
}

TEST(ContextAllocations, AreFew) {
  run({.procs = 1}, [] {
    const Context background;
    const auto [parent, cancel] = with_cancel(background);
    EXPECT_EQ(cost([] { const Context context = Context::background(); }), 0U);
    EXPECT_EQ(cost([&parent = parent] { const Context copy = parent; }), 0U);
    EXPECT_EQ(cost([] { const Context context = current_context(); }), 0U);
    EXPECT_EQ(cost([&] { with_value(background, kNumber, 1); }), 1U);
    EXPECT_EQ(cost([&parent = parent] { without_cancel(parent); }), 1U);
    EXPECT_LE(cost([&] { with_cancel(background).cancel(); }), 2U);
    EXPECT_LE(cost([&] { with_timeout(background, 1h).cancel(); }), 2U);
    EXPECT_LE(cost([&parent = parent] { with_timeout(parent, 1h).cancel(); }), 2U);
    EXPECT_LE(cost([] { const CancelScope scope(1h); }), 2U);
    EXPECT_EQ(cost([] { const Shield shield; }), 0U);
  });
}

// A wait adds none: the goroutine's registration and the timer live in records that exist.
TEST(ContextAllocations, WaitsAddNone) {
  run({.procs = 1}, [] {
    const CancelScope scope(1h);
    EXPECT_EQ(cost([] { sleep(1us); }), 0U);
    EXPECT_LE(cost([] {
                const CancelScope inner(1h);
                sleep(1us);
              }),
              2U);
  });
}

TEST(ContextAllocations, OfAfterFunc) {
  run({.procs = 1}, [] {
    const auto [parent, cancel] = with_cancel(Context());
    // The registration, and the context it runs with.
    EXPECT_LE(cost([&parent = parent] { after_func(parent, [] {}).stop(); }), 2U);
  });
}

}  // namespace
}  // namespace degu
