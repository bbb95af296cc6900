#include <shop/user/user_cache.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace shop::user {
namespace {

bool before(const UserCache::Entry& entry, int64_t id) { return entry.id < id; }

}  // namespace

std::string mask_email(std::string_view email) {
  const std::size_t at = email.rfind('@');
  if (at == std::string_view::npos || at == 0) return "***";
  std::string out;
  out.reserve(email.size() - at + 4);
  out += email[0];
  out += "***";
  out += email.substr(at);
  return out;
}

UserCache::Entry UserCache::make_entry(int64_t id, std::string name, std::string email, int64_t created_ms) {
  Entry entry;
  entry.id = id;
  entry.view.id = std::to_string(id);
  entry.view.name = std::move(name);
  entry.view.email = mask_email(email);
  entry.view.created_at = degu::rpc::Timestamp(std::chrono::milliseconds(created_ms));
  entry.email = std::move(email);
  return entry;
}

void UserCache::add(Entry entry) {
  const std::unique_lock lock(mutex_);
  if (entries_.empty() || entries_.back().id < entry.id) {
    entries_.push_back(std::move(entry));
    return;
  }
  const auto place = std::lower_bound(entries_.begin(), entries_.end(), entry.id, before);
  if (place->id != entry.id) entries_.insert(place, std::move(entry));
}

v1::ListUsersResponse UserCache::page(int64_t after, std::size_t page_size) const {
  v1::ListUsersResponse response;
  const std::shared_lock lock(mutex_);
  auto entry =
      after <= 0 ? entries_.begin() : std::lower_bound(entries_.begin(), entries_.end(), after + 1, before);
  const auto left = static_cast<std::size_t>(entries_.end() - entry);
  const std::size_t count = std::min(page_size, left);
  response.users.reserve(count);
  for (std::size_t i = 0; i < count; ++i, ++entry) response.users.push_back(entry->view);
  if (count > 0 && count < left) response.next_page_token = response.users.back().id;
  return response;
}

std::optional<v1::User> UserCache::find(int64_t id, bool with_email) const {
  const std::shared_lock lock(mutex_);
  const auto entry = std::lower_bound(entries_.begin(), entries_.end(), id, before);
  if (entry == entries_.end() || entry->id != id) return std::nullopt;
  v1::User user = entry->view;
  if (with_email) user.email = entry->email;
  return user;
}

std::size_t UserCache::size() const {
  const std::shared_lock lock(mutex_);
  return entries_.size();
}

}  // namespace shop::user
