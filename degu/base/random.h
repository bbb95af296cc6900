// Random: a small seeded generator for scheduling and tests; secure_random for secrets.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace degu {

/// wyrand (Wang Yi, public domain): one multiplication a number, 2^64 period. Not for secrets. Not
/// thread-safe.
class Random {
 public:
  explicit constexpr Random(uint64_t seed) noexcept : state_(seed) {}

  constexpr uint64_t next() noexcept {
    state_ += 0xa0761d6478bd642fULL;
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(state_) * (state_ ^ 0xe7037ed1a0b428dbULL);
    return static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product);
  }

  /// Uniform in [0, bound), bound > 0; bias below 2^-32 (Lemire's multiplication).
  constexpr uint32_t below(uint32_t bound) noexcept {
    return static_cast<uint32_t>(((next() >> 32) * bound) >> 32);
  }

 private:
  uint64_t state_;
};

namespace base_internal {
/// Set while a simulation exists: true if the caller is in one, with its next number in `out`.
using RandomSource = bool (*)(uint64_t& out) noexcept;
inline constinit std::atomic<RandomSource> random_hook{nullptr};
}  // namespace base_internal

/// A number from a generator of the calling thread, seeded from the kernel; in a simulation from its seed. Not for
/// secrets.
uint64_t random_u64() noexcept;

/// Fills `out` from getrandom(2); in a simulation from its seed. Aborts if the kernel refuses, as no secret can be
/// made then.
void secure_random(std::span<std::byte> out) noexcept;

}  // namespace degu
