// SqliteError: what SQLite said, kept as the cause of the degu::Error that callers see.
#pragma once

#include <degu/base/error.h>

#include <exception>
#include <string>
#include <string_view>

namespace degu::store {

/// The cause of every Error that comes from SQLite. Names the statement (its text, never its bound values),
/// so it is for logs and not for clients.
class SqliteError : public std::exception {
 public:
  SqliteError(int extended_code, std::string sql, const std::string& message);

  /// SQLite's extended result code, e.g. SQLITE_CONSTRAINT_UNIQUE.
  int extended_code() const noexcept { return extended_code_; }
  const std::string& sql() const noexcept { return sql_; }
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  int extended_code_;
  std::string sql_;
  std::string what_;
};

/// The class of a SQLite result code:
///   CONSTRAINT_UNIQUE, _PRIMARYKEY, _ROWID → kAlreadyExists; other CONSTRAINT → kFailedPrecondition;
///   FULL, NOMEM → kResourceExhausted; TOOBIG → kInvalidArgument; IOERR, BUSY, LOCKED, CANTOPEN →
///   kUnavailable; CORRUPT, NOTADB → kDataLoss; READONLY, PERM, AUTH → kPermissionDenied; INTERRUPT →
///   kCancelled; else kInternal.
Code code_of_sqlite(int extended_code) noexcept;

/// The Error for a failed call: code by code_of_sqlite, a message that says what to do, SqliteError as the
/// cause.
Error make_sqlite_error(int extended_code, std::string_view message, std::string_view sql);

}  // namespace degu::store
