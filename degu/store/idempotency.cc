#include <degu/store/idempotency.h>
#include <degu/store/internal/sha256.h>
#include <degu/store/wall_clock.h>
#include <fmt/core.h>

namespace degu::store {

std::string_view Idempotency::schema() noexcept {
  return "CREATE TABLE idempotency("
         "scope TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, response TEXT NOT NULL,"
         "created_at_ms INTEGER NOT NULL, PRIMARY KEY(scope, key)) STRICT, WITHOUT ROWID;"
         "CREATE INDEX idempotency_by_age ON idempotency(created_at_ms);";
}

std::optional<std::string> Idempotency::find(Session& session, std::string_view scope, std::string_view key,
                                             std::string_view request) {
  auto rows =
      session.query("SELECT fingerprint, response FROM idempotency WHERE scope=? AND key=?", scope, key);
  const auto row = rows.next();
  if (!row) return std::nullopt;
  if (row->get<std::string_view>(0) != internal::sha256_hex(request)) {
    throw Error(Code::kAlreadyExists,
                fmt::format("idempotency key \"{}\" was used for another request", key));
  }
  return row->get<std::string>(1);
}

void Idempotency::remember(Transaction& tx, std::string_view scope, std::string_view key,
                           std::string_view request, std::string_view response) {
  tx.exec("INSERT INTO idempotency(scope, key, fingerprint, response, created_at_ms) VALUES(?,?,?,?,?)",
          scope, key, internal::sha256_hex(request), response, wall_ms());
}

int64_t Idempotency::prune(std::chrono::seconds age) {
  const int64_t before = wall_ms() - std::chrono::milliseconds(age).count();
  return database_.write(
      [&](Transaction& tx) { return tx.exec("DELETE FROM idempotency WHERE created_at_ms < ?", before); });
}

}  // namespace degu::store
