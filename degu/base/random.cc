#include <degu/base/assert.h>
#include <degu/base/random.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace degu {
namespace {

bool take_simulated(uint64_t& out) noexcept {
  const base_internal::RandomSource hook = base_internal::random_hook.load(std::memory_order_relaxed);
  return hook != nullptr && hook(out);
}

uint64_t kernel_seed() noexcept {
  uint64_t seed = 0;
  secure_random(std::as_writable_bytes(std::span(&seed, 1)));
  return seed;
}

}  // namespace

// noinline: a goroutine may migrate between two calls, so the address of the thread's generator must not be
// kept.
[[gnu::noinline]] uint64_t random_u64() noexcept {
  uint64_t simulated = 0;
  if (take_simulated(simulated)) return simulated;
  thread_local Random generator(kernel_seed());
  return generator.next();
}

void secure_random(std::span<std::byte> out) noexcept {
  for (uint64_t word = 0; !out.empty() && take_simulated(word);) {
    const std::size_t size = std::min(out.size(), sizeof word);
    std::memcpy(out.data(), &word, size);
    out = out.subspan(size);
  }
  while (!out.empty()) {
    const ssize_t n = ::getrandom(out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    DEGU_CHECK(n > 0, "getrandom failed (errno {})", errno);
    out = out.subspan(static_cast<std::size_t>(n));
  }
}

}  // namespace degu
