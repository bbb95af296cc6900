// AddressCounts: how many of something each client address has.
#pragma once

#include <degu/base/hash.h>
#include <degu/http/internal/ip.h>
#include <degu/sync/mutex.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <unordered_map>

namespace degu::http::internal {

/// Holds an entry for each address that has one at least. Thread-safe.
class AddressCounts {
 public:
  /// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber gets
  /// (RFC 6177), and out of which it may take as many addresses as it likes.
  static IpAddress client_of(const IpAddress& address) noexcept {
    return address.is_v4() ? address : address.masked(64);
  }

  /// One more for `client`. False: it has `limit` already, and nothing is counted.
  bool add(const IpAddress& client, std::size_t limit) {
    const std::lock_guard guard(lock_);
    const auto [place, added] = counts_.try_emplace(client, 0);
    if (place->second >= limit) {
      if (added) counts_.erase(place);
      return false;
    }
    ++place->second;
    return true;
  }
  /// Takes back one that was added.
  void remove(const IpAddress& client) noexcept {
    const std::lock_guard guard(lock_);
    const auto place = counts_.find(client);
    if (--place->second == 0) counts_.erase(place);
  }
  std::size_t clients() const {
    const std::lock_guard guard(lock_);
    return counts_.size();
  }

 private:
  // Keyed: who may choose its address could otherwise choose those that collide.
  struct Hash {
    std::size_t operator()(const IpAddress& address) const noexcept {
      return sip_hash_1_3(process_hash_key(),
                          {reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
    }
  };

  mutable Mutex lock_;
  std::unordered_map<IpAddress, std::size_t, Hash> counts_;
};

}  // namespace degu::http::internal
