// TicketKeys: what seals the session tickets of servers that share a secret.
#pragma once

#include <degu/rt/lock.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace degu::net::internal {

/// Keys by HKDF-SHA256 (RFC 5869) from a secret and the number of the period of degu::wall_now(), so that all who have the
/// secret have the same without a word between them. Thread-safe; waits for nothing.
class TicketKeys {
 public:
  static constexpr std::size_t kMinSecretBytes = 32;
  static constexpr std::chrono::hours kPeriod{12};

  struct Key {
    std::array<unsigned char, 16> name;  ///< in clear text on the ticket
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> mac;
  };

  /// Throws Error(kInvalidArgument) for a secret that is too short.
  explicit TicketKeys(std::string secret);

  /// What tickets are sealed with now; nothing when the library fails.
  std::optional<Key> current() noexcept;
  struct Found {
    Key key;
    bool current;  ///< false: its ticket should be replaced
  };
  /// The key of that name, if it is of this period, the one before, or the one to come: clocks differ.
  std::optional<Found> find(std::span<const unsigned char, 16> name) noexcept;

 private:
  struct Keys {
    int64_t period = -1;
    std::array<Key, 3> keys;  // the one before, this one, the one to come
  };

  std::optional<Keys> keys() noexcept;
  bool derive(int64_t period, Key& into) const noexcept;

  const std::string secret_;
  rt::Lock lock_;  // guards kept_
  Keys kept_{};
};

}  // namespace degu::net::internal
