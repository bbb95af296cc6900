#include <degu/context/context.h>
#include <degu/rpc/call.h>

#include <algorithm>

namespace degu::rpc {
namespace {

constexpr ContextKey<Metadata> kMetadata{"rpc metadata"};

const Metadata kNone;

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

template <class Entries>
auto find(Entries& entries, std::string_view name) {
  return std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == name; });
}

}  // namespace

std::string_view Metadata::get(std::string_view name) const noexcept {
  const auto found = find(entries_, name);
  return found == entries_.end() ? std::string_view() : std::string_view(found->second);
}

bool Metadata::has(std::string_view name) const noexcept { return find(entries_, name) != entries_.end(); }

void Metadata::set(std::string_view name, std::string value) {
  std::string key = lower(name);
  const auto found = find(entries_, key);
  if (found == entries_.end()) {
    entries_.emplace_back(std::move(key), std::move(value));
  } else {
    found->second = std::move(value);
  }
}

const Metadata& metadata() noexcept {
  // The goroutine holds on to its context, so the value outlives the handle that found it.
  const Metadata* found = current_context().value(kMetadata);
  return found == nullptr ? kNone : *found;
}

MetadataScope::MetadataScope(Metadata added) {
  if (added.empty()) return;
  Metadata merged = metadata();
  for (const auto& [name, value] : added) merged.set(name, value);
  scope_.emplace(with_value(current_context(), kMetadata, std::move(merged)));
}

}  // namespace degu::rpc
