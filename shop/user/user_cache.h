// UserCache: what the public may see of every user, in memory.
#pragma once

#include <degu/sync/rw_mutex.h>
#include <shop/proto/user.degu.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace shop::user {

/// The users in the order of their numbers. Goroutine-safe. A page of readers takes no lock that another
/// reader waits for, reads no database and allocates what its response needs.
class UserCache {
 public:
  struct Entry {
    int64_t id = 0;
    std::string email;
    v1::User view;  // with the address masked
  };

  static Entry make_entry(int64_t id, std::string name, std::string email, int64_t created_ms);

  /// Users may be added out of order; one that is there already is left alone.
  void add(Entry entry);

  /// Up to `page_size` users with numbers above `after`.
  v1::ListUsersResponse page(int64_t after, std::size_t page_size) const;

  /// With the whole address when `with_email`. Nothing when there is no such user.
  std::optional<v1::User> find(int64_t id, bool with_email) const;

  std::size_t size() const;

 private:
  mutable degu::RWMutex mutex_;
  std::deque<Entry> entries_;  // ascending by id
};

/// "anna.b@example.org" → "a***@example.org".
std::string mask_email(std::string_view email);

}  // namespace shop::user
