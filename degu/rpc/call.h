// CallInfo and Metadata: what surrounds a call besides its request.
#pragma once

#include <degu/context/cancel_scope.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::rpc {

/// Which call: "shop.order.v1.OrderService" and "PlaceOrder". Refers to static strings.
struct CallInfo {
  std::string_view service;
  std::string_view method;
};

/// Names and values that travel with calls beside the requests, e.g. "x-user-id". Names are lower-case; an
/// entry has one value. A plain value type: not thread-safe.
class Metadata {
 public:
  using Entry = std::pair<std::string, std::string>;

  /// The value of that name, "" if there is none. Linear: there are few.
  std::string_view get(std::string_view name) const noexcept;
  bool has(std::string_view name) const noexcept;
  /// Adds or replaces. The name is lower-cased.
  void set(std::string_view name, std::string value);

  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }
  auto begin() const noexcept { return entries_.begin(); }
  auto end() const noexcept { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

/// The metadata of the current context: inherited by goroutines and by the calls made from here. Never
/// changes while it is referred to; valid until the current context changes.
const Metadata& metadata() noexcept;

/// While it lives, the current context carries `added` on top of what it carried. Scopes nest; one belongs to
/// the goroutine that made it. Allocates a context unless `added` is empty.
class MetadataScope {
 public:
  explicit MetadataScope(Metadata added);

 private:
  std::optional<ContextScope> scope_;
};

}  // namespace degu::rpc
