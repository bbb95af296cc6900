// KeyedHash: hashes under a secret of the process, so that nobody outside can choose keys that collide.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace degu {

using HashKey = std::array<uint64_t, 2>;

/// SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the variant of Rust's and Ruby's tables)
/// of `bytes` under `key`.
uint64_t sip_hash_1_3(const HashKey& key, std::string_view bytes) noexcept;
/// The paper's own variant, slower; here for its test vectors.
uint64_t sip_hash_2_4(const HashKey& key, std::string_view bytes) noexcept;

/// The secret: drawn once a process.
const HashKey& process_hash_key() noexcept;

/// For tables whose keys come from outside. Strings, integers and enumerations are hashed with SipHash-1-3. What
/// std::hash gives for other types is hashed once more: that spreads weak hashes, but keys for which std::hash itself
/// gives equal values still collide. Differs from process to process: not for storage.
template <class K>
struct KeyedHash {
  uint64_t operator()(const K& key) const noexcept(noexcept(std::hash<K>{}(key))) {
    if constexpr (std::is_convertible_v<const K&, std::string_view>) {
      return sip_hash_1_3(process_hash_key(), std::string_view(key));
    } else if constexpr (std::integral<K> || std::is_enum_v<K>) {
      return of_word(static_cast<uint64_t>(key));
    } else {
      return of_word(std::hash<K>{}(key));
    }
  }

 private:
  static uint64_t of_word(uint64_t word) noexcept {
    return sip_hash_1_3(process_hash_key(), {reinterpret_cast<const char*>(&word), sizeof word});
  }
};

}  // namespace degu
