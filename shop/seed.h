// Made-up products and users, as many as a load test wants.
#pragma once

#include <cstdint>
#include <string>

namespace shop {

struct SeedCounts {
  int64_t products = 0;
  int64_t users = 0;
};

inline constexpr int64_t kMaxSeed = 1'000'000;
inline constexpr int32_t kSeedStock = 1'000'000;  // of each product

/// What every seeded user logs in with: user-000001@seed.example and so on.
inline constexpr const char* kSeedPassword = "degu-seed-1";

/// Makes sure that the databases in `data_dir` hold the products S-000001 to S-<products> with stock and the
/// first `users` users; what is there already is left alone. Returns how many were new. Runs in a goroutine,
/// while no shop runs on the directory. Throws degu::Error; kInvalidArgument for counts below 0 or above
/// kMaxSeed.
SeedCounts seed(const std::string& data_dir, SeedCounts wanted);

}  // namespace shop
