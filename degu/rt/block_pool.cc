// A thread has up to two bundles a size, so that one that allocates and releases in turn does not go to the depot.
#include <degu/rt/block_pool.h>
#include <degu/rt/internal/switch.h>
#include <degu/rt/lock.h>

#include <array>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace degu::rt {
namespace {

#ifdef DEGU_ASAN
constexpr bool kPooled = false;  // it is to see what is used after its release
#else
constexpr bool kPooled = true;
#endif
constexpr std::size_t kSizes = BlockPool::kLargest / BlockPool::kStep;

// A free block.
struct Block {
  Block* next;
};

struct Bundle {
  Block* top = nullptr;
  std::size_t size = 0;

  void push(void* memory) noexcept {
    top = ::new (memory) Block{top};
    ++size;
  }
  Block* pop() noexcept {
    --size;
    return std::exchange(top, top->next);
  }
};

struct Depot {
  Lock lock;                    // guards the rest
  std::vector<Bundle> bundles;  // none is empty
  char* slab = nullptr;         // the rest of the newest
  std::size_t slab_left = 0;
};

Depot& depot(std::size_t size) noexcept {
  static auto* all = new std::array<Depot, kSizes>;  // never destroyed: threads may outlive main
  return (*all)[size];
}

void give(std::size_t size, Bundle bundle) noexcept {
  if (bundle.size == 0) return;
  Depot& common = depot(size);
  const std::lock_guard guard(common.lock);
  common.bundles.push_back(bundle);
}

Bundle take(std::size_t size) {
  const std::size_t bytes = (size + 1) * BlockPool::kStep;
  Depot& common = depot(size);
  const std::lock_guard guard(common.lock);
  if (!common.bundles.empty()) {
    const Bundle bundle = common.bundles.back();
    common.bundles.pop_back();
    return bundle;
  }
  if (common.slab_left < bytes) {
    common.slab = static_cast<char*>(::operator new(BlockPool::kSlab));
    common.slab_left = BlockPool::kSlab;
  }
  Bundle bundle;
  for (; bundle.size < BlockPool::kBundle && common.slab_left >= bytes; common.slab_left -= bytes)
    bundle.push(std::exchange(common.slab, common.slab + bytes));
  return bundle;
}

struct Cache {
  std::array<Bundle, kSizes> free;  // less than a full one, or full while `spare` is empty
  std::array<Bundle, kSizes> spare;

  ~Cache() {
    for (std::size_t size = 0; size < kSizes; ++size) {
      // Emptied, as objects that end after this one may still release blocks here.
      give(size, std::exchange(free[size], Bundle{}));
      give(size, std::exchange(spare[size], Bundle{}));
    }
  }
};

thread_local Cache cache;

}  // namespace

// Not inline, so that no caller keeps the address of the thread's cache across a suspension.
[[gnu::noinline]] void* BlockPool::allocate(std::size_t bytes) {
  if (kPooled && bytes <= kLargest) {
    const std::size_t size = (bytes - 1) / kStep;
    Bundle& free = cache.free[size];
    if (free.size == 0) [[unlikely]]
      free = cache.spare[size].size != 0 ? std::exchange(cache.spare[size], Bundle{}) : take(size);
    return free.pop();
  }
  return ::operator new(bytes);
}

[[gnu::noinline]] void BlockPool::release(void* block, std::size_t bytes) noexcept {
  if (kPooled && bytes <= kLargest) {
    const std::size_t size = (bytes - 1) / kStep;
    Bundle& free = cache.free[size];
    free.push(block);
    if (free.size == kBundle) [[unlikely]]
      give(size, std::exchange(cache.spare[size], std::exchange(free, Bundle{})));
    return;
  }
  ::operator delete(block);
}

}  // namespace degu::rt
