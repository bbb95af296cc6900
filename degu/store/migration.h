// Migration: numbered, once-only changes of a database's schema.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace degu::store {

/// One step of a schema. Versions count 1, 2, 3 … without gaps. A migration that has been released is never
/// edited: its text is remembered by checksum, and a database that was made with another text is refused. The
/// comparison is exact, white space included.
struct Migration {
  int version;
  std::string name;
  std::string sql;  // any number of statements; runs inside a transaction, so no BEGIN, COMMIT or VACUUM
};

namespace internal {
class Connection;

/// Applies what is missing, each migration in its own transaction together with its record in the table
/// `degu_migrations`. Throws Error(kFailedPrecondition) when an applied migration is unknown here or has
/// another checksum, Error(kInvalidArgument) when the list has gaps; then nothing is changed.
void migrate(Connection& connection, std::span<const Migration> migrations);
}  // namespace internal

}  // namespace degu::store
