#include <degu/store/sqlite_error.h>
#include <fmt/core.h>
#include <sqlite3.h>

#include <utility>

namespace degu::store {

SqliteError::SqliteError(int extended_code, std::string sql, const std::string& message)
    : extended_code_(extended_code),
      sql_(std::move(sql)),
      what_(fmt::format("sqlite {}: {} [{}]", extended_code, message, sql_)) {}

Code code_of_sqlite(int extended_code) noexcept {
  switch (extended_code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return Code::kAlreadyExists;
    case SQLITE_IOERR_NOMEM:
      return Code::kResourceExhausted;
    default:
      break;
  }
  switch (extended_code & 0xff) {
    case SQLITE_CONSTRAINT:
      return Code::kFailedPrecondition;
    case SQLITE_NOMEM:
      return Code::kResourceExhausted;
    case SQLITE_TOOBIG:
      return Code::kInvalidArgument;
    case SQLITE_FULL:  // not the caller's quota: the service cannot store
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
      return Code::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::kDataLoss;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Code::kPermissionDenied;
    case SQLITE_INTERRUPT:
      return Code::kCancelled;
    default:
      return Code::kInternal;
  }
}

namespace {

std::string explain(int extended_code, std::string_view message) {
  switch (extended_code & 0xff) {
    case SQLITE_FULL:
      return "the store is full; nothing of this change was kept";
    case SQLITE_IOERR:
      return fmt::format("disk I/O error ({}, code {})", message, extended_code);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "database is locked by another process";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fmt::format("database file is damaged: {}", message);
    case SQLITE_CANTOPEN:
      return fmt::format("cannot open the database file: {}", message);
    default:
      return std::string(message);
  }
}

}  // namespace

Error make_sqlite_error(int extended_code, std::string_view message, std::string_view sql) {
  auto cause = std::make_exception_ptr(SqliteError(extended_code, std::string(sql), std::string(message)));
  return Error(code_of_sqlite(extended_code), explain(extended_code, message)).with_cause(std::move(cause));
}

}  // namespace degu::store
