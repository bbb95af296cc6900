#include <degu/rt/park.h>
#include <degu/store/internal/connection.h>
#include <degu/store/statement.h>
#include <fmt/core.h>
#include <sqlite3.h>

namespace degu::store {
namespace {

[[noreturn]] void throw_type(sqlite3_stmt* stmt, int column, std::string_view wanted) {
  if (column < 0 || column >= sqlite3_column_count(stmt)) {
    throw Error(Code::kInternal, fmt::format("no column {} in the result of: {}", column, sqlite3_sql(stmt)));
  }
  constexpr std::string_view kNames[] = {"", "INTEGER", "REAL", "TEXT", "BLOB", "NULL"};
  const auto type = static_cast<size_t>(sqlite3_column_type(stmt, column));
  throw Error(Code::kDataLoss,
              fmt::format("column {} ({}) holds {}, expected {}", column, sqlite3_column_name(stmt, column),
                          kNames[type < 6 ? type : 0], wanted));
}

}  // namespace

namespace internal {

void throw_narrowing(int column, int64_t value) {
  throw Error(Code::kDataLoss,
              fmt::format("column {} holds {}, which does not fit the type asked for", column, value));
}

}  // namespace internal

bool Row::is_null(int column) const noexcept { return sqlite3_column_type(stmt_, column) == SQLITE_NULL; }
int Row::columns() const noexcept { return sqlite3_column_count(stmt_); }

int64_t Row::integer(int column) const {
  if (sqlite3_column_type(stmt_, column) != SQLITE_INTEGER) throw_type(stmt_, column, "INTEGER");
  return sqlite3_column_int64(stmt_, column);
}

double Row::real(int column) const {
  const int type = sqlite3_column_type(stmt_, column);
  if (type != SQLITE_FLOAT && type != SQLITE_INTEGER) throw_type(stmt_, column, "REAL");
  return sqlite3_column_double(stmt_, column);
}

std::string_view Row::text(int column) const {
  const int type = sqlite3_column_type(stmt_, column);
  if (type != SQLITE_TEXT && type != SQLITE_BLOB) throw_type(stmt_, column, "TEXT");
  const void* data = sqlite3_column_blob(stmt_, column);  // before _bytes: the conversion may move the value
  return {static_cast<const char*>(data), static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

std::span<const std::byte> Row::blob(int column) const {
  const std::string_view bytes = text(column);
  return std::as_bytes(std::span(bytes.data(), bytes.size()));
}

Statement::~Statement() {
  if (stmt_ == nullptr) return;
  if (cached_ != nullptr) {
    reset();
    cached_->busy = false;
  } else {
    sqlite3_finalize(stmt_);
  }
}

void Statement::bind_null(int index) {
  if (const int code = sqlite3_bind_null(stmt_, index); code != SQLITE_OK) {
    throw connection_->error(code, sqlite3_sql(stmt_));
  }
}

void Statement::bind_integer(int index, int64_t value) {
  if (const int code = sqlite3_bind_int64(stmt_, index, value); code != SQLITE_OK) {
    throw connection_->error(code, sqlite3_sql(stmt_));
  }
}

void Statement::bind_real(int index, double value) {
  if (const int code = sqlite3_bind_double(stmt_, index, value); code != SQLITE_OK) {
    throw connection_->error(code, sqlite3_sql(stmt_));
  }
}

void Statement::bind_text(int index, std::string_view value) {
  // A null pointer would bind NULL; an empty view is empty text.
  const char* data = value.data() == nullptr ? "" : value.data();
  const int code = sqlite3_bind_text64(stmt_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) throw connection_->error(code, sqlite3_sql(stmt_));
}

void Statement::bind_blob(int index, std::span<const std::byte> value) {
  const void* data = value.empty() ? "" : static_cast<const void*>(value.data());
  const int code = sqlite3_bind_blob64(stmt_, index, data, value.size(), SQLITE_TRANSIENT);
  if (code != SQLITE_OK) throw connection_->error(code, sqlite3_sql(stmt_));
}

std::optional<Row> Statement::next() {
  const int code = sqlite3_step(stmt_);
  if (code == SQLITE_ROW) return Row(stmt_);
  if (code == SQLITE_DONE) return std::nullopt;
  const Error error = connection_->error(code, sqlite3_sql(stmt_));
  if ((code & 0xff) == SQLITE_INTERRUPT && rt::interrupted()) rt::throw_interrupted();
  throw error;
}

int64_t Statement::run() {
  while (next()) {
  }
  if (sqlite3_stmt_readonly(stmt_) != 0) return 0;
  return connection_->changes();
}

void Statement::reset() noexcept {
  sqlite3_reset(stmt_);  // repeats the error of the last step, which was thrown already
  sqlite3_clear_bindings(stmt_);
}

}  // namespace degu::store
