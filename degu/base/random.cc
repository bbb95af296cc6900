#include <degu/base/assert.h>
#include <degu/base/random.h>
#include <sys/random.h>

#include <cerrno>

namespace degu {
namespace {

uint64_t kernel_seed() noexcept {
  uint64_t seed = 0;
  secure_random(std::as_writable_bytes(std::span(&seed, 1)));
  return seed;
}

}  // namespace

// noinline: a goroutine may migrate between two calls, so the address of the thread's generator must not be
// kept.
[[gnu::noinline]] uint64_t random_u64() noexcept {
  thread_local Random generator(kernel_seed());
  return generator.next();
}

void secure_random(std::span<std::byte> out) noexcept {
  while (!out.empty()) {
    const ssize_t n = ::getrandom(out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    DEGU_CHECK(n > 0, "getrandom failed (errno {})", errno);
    out = out.subspan(static_cast<std::size_t>(n));
  }
}

}  // namespace degu
