#include <degu/base/time.h>
#include <degu/store/internal/connection.h>
#include <degu/store/internal/sha256.h>
#include <degu/store/migration.h>
#include <degu/store/session.h>
#include <fmt/core.h>

#include <chrono>
#include <exception>

namespace degu::store::internal {
namespace {

constexpr const char* kTable =
    "CREATE TABLE IF NOT EXISTS degu_migrations("
    "version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at_ms INTEGER NOT "
    "NULL) STRICT";

void check_applied(Transaction& tx, std::span<const Migration> migrations, int64_t& applied) {
  Statement rows = tx.prepare("SELECT version, name, checksum FROM degu_migrations ORDER BY version");
  while (auto row = rows.next()) {
    const auto version = row->get<int64_t>(0);
    if (version != applied + 1 || version > std::ssize(migrations)) {
      throw Error(
          Code::kFailedPrecondition,
          fmt::format(
              "the database has migration {} ({}), which this program does not know: it was made by a "
              "newer release",
              version, row->get<std::string_view>(1)));
    }
    const Migration& migration = migrations[static_cast<size_t>(version - 1)];
    if (row->get<std::string_view>(2) != sha256_hex(migration.sql)) {
      throw Error(
          Code::kFailedPrecondition,
          fmt::format("migration {} ({}) differs from what was applied to this database; add a new migration "
                      "instead of editing an old one",
                      version, migration.name));
    }
    applied = version;
  }
}

void apply(Connection& connection, const Migration& migration) {
  connection.script("BEGIN IMMEDIATE");
  try {
    connection.script(migration.sql);
    Transaction tx(connection);
    const auto now = wall_now().time_since_epoch();
    tx.exec("INSERT INTO degu_migrations(version, name, checksum, applied_at_ms) VALUES(?,?,?,?)",
            migration.version, migration.name, sha256_hex(migration.sql),
            std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
    connection.script("COMMIT");
  } catch (const Error& error) {
    if (connection.in_transaction()) connection.script("ROLLBACK");
    throw Error(error.code(),
                fmt::format("migration {} ({}): {}", migration.version, migration.name, error.message()))
        .with_cause(std::current_exception());
  }
}

}  // namespace

void migrate(Connection& connection, std::span<const Migration> migrations) {
  for (size_t i = 0; i < migrations.size(); ++i) {
    if (migrations[i].version != static_cast<int>(i) + 1) {
      throw Error(Code::kInvalidArgument,
                  fmt::format("migration number {} stands at place {}: versions count 1, 2, 3",
                              migrations[i].version, i + 1));
    }
  }
  connection.script(kTable);
  int64_t applied = 0;
  {
    Transaction tx(connection);
    check_applied(tx, migrations, applied);
  }
  for (const Migration& migration : migrations.subspan(static_cast<size_t>(applied)))
    apply(connection, migration);
}

}  // namespace degu::store::internal
