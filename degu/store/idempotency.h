// Idempotency: a request with a key is carried out once, however often it arrives.
#pragma once

#include <degu/base/function.h>
#include <degu/store/database.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace degu::store {

/// Keys, fingerprints of requests and stored responses, in the table `idempotency` of a service's own
/// database. A key lives in a scope (the caller and the method, e.g. "order:<user>"). Goroutine-safe; must
/// not outlive its database.
///
/// A key that comes again with another request is refused with Error(kAlreadyExists).
class Idempotency {
 public:
  /// The table; a part of the service's migrations.
  static std::string_view schema() noexcept;

  explicit Idempotency(Database& database) noexcept : database_(database) {}

  /// Looks the key up inside the caller's transaction, so that the business change, the key and the response
  /// are one commit. nullopt: the key is new, and remember() must follow in the same transaction.
  static std::optional<std::string> find(Session& session, std::string_view scope, std::string_view key,
                                         std::string_view request);
  static void remember(Transaction& tx, std::string_view scope, std::string_view key,
                       std::string_view request, std::string_view response);

  /// Carries the request out in one transaction with its key. Of several callers with the same key one runs
  /// `body`; the others get its response. A body that throws leaves no trace: the next caller runs it again.
  template <class F>
  std::string once(std::string_view scope, std::string_view key, std::string_view request, F&& body) {
    return database_.write([&](Transaction& tx) {
      if (auto known = find(tx, scope, key, request)) return *std::move(known);
      std::string response = body(tx);
      remember(tx, scope, key, request, response);
      return response;
    });
  }

  /// Deletes keys older than `age`; returns how many. Afterwards such a request counts as new.
  int64_t prune(std::chrono::seconds age);

 private:
  Database& database_;
};

}  // namespace degu::store
