#include <degu/rt/cancel.h>
#include <degu/rt/park.h>
#include <degu/store/internal/connection.h>
#include <degu/store/session.h>
#include <degu/store/sqlite_error.h>
#include <fmt/core.h>
#include <sqlite3.h>

#include <algorithm>

namespace degu::store::internal {
namespace {

// A reader looks at its goroutine's context this often, so that a long query ends with the request it serves.
constexpr int kInstructionsPerCheck = 20000;

int stop_if_interrupted(void*) { return rt::interrupted() ? 1 : 0; }

}  // namespace

std::unique_ptr<Connection> Connection::open(const std::string& path, const ConnectionOptions& options) {
  std::unique_ptr<Connection> connection(new Connection);
  connection->cache_limit_ = std::max<size_t>(options.cached_statements, 1);
  // NOMUTEX: a connection belongs to one goroutine at a time, and the hand-over orders memory.
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &connection->handle_, flags, nullptr);
  if (code != SQLITE_OK) {
    const std::string message =
        connection->handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection->handle_);
    throw make_sqlite_error(code, fmt::format("{}: {}", path, message), "open");
  }
  sqlite3_busy_timeout(connection->handle_, static_cast<int>(options.busy_timeout.count()));
  if (options.read_only) {
    sqlite3_progress_handler(connection->handle_, kInstructionsPerCheck, stop_if_interrupted, nullptr);
    connection->script("PRAGMA query_only=ON; PRAGMA mmap_size=0");
  } else {
    connection->script("PRAGMA journal_mode=WAL");
    connection->script(fmt::format("PRAGMA synchronous={}; PRAGMA foreign_keys=ON", options.synchronous));
  }
  connection->script("PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY");
  return connection;
}

Connection::~Connection() {
  for (auto& [sql, cached] : cache_) sqlite3_finalize(cached.stmt);
  sqlite3_close_v2(handle_);
}

sqlite3_stmt* Connection::compile(std::string_view sql, bool persistent) {
  sqlite3_stmt* stmt = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      persistent ? SQLITE_PREPARE_PERSISTENT : 0, &stmt, &tail);
  if (code != SQLITE_OK) throw error(code, sql);
  const std::string_view rest = sql.substr(static_cast<size_t>(tail - sql.data()));
  if (stmt == nullptr || rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    sqlite3_finalize(stmt);
    throw Error(Code::kInternal, fmt::format("expected exactly one SQL statement: {}", sql));
  }
  return stmt;
}

Statement Connection::prepare(std::string_view sql) {
  auto found = cache_.find(sql);
  if (found == cache_.end()) {
    sqlite3_stmt* stmt = compile(sql, true);
    if (cache_.size() >= cache_limit_) evict_one();
    found = cache_.emplace(std::string(sql), CachedStatement{stmt}).first;
  } else if (found->second.busy) {
    return Statement(*this, nullptr, compile(sql, false));
  }
  CachedStatement& cached = found->second;
  cached.busy = true;
  cached.used_at = ++clock_;
  return Statement(*this, &cached, cached.stmt);
}

void Connection::evict_one() noexcept {
  auto oldest = cache_.end();
  for (auto it = cache_.begin(); it != cache_.end(); ++it) {
    if (it->second.busy) continue;
    if (oldest == cache_.end() || it->second.used_at < oldest->second.used_at) oldest = it;
  }
  if (oldest == cache_.end()) return;  // all in use: the cache grows past its limit for as long as they are
  sqlite3_finalize(oldest->second.stmt);
  cache_.erase(oldest);
}

void Connection::script(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw error(code, sql);
}

bool Connection::in_transaction() const noexcept { return sqlite3_get_autocommit(handle_) == 0; }
int64_t Connection::changes() const noexcept { return sqlite3_changes64(handle_); }
int64_t Connection::last_insert_id() const noexcept { return sqlite3_last_insert_rowid(handle_); }

Error Connection::error(int code, std::string_view sql) const {
  return make_sqlite_error(code, sqlite3_errmsg(handle_), sql);
}

}  // namespace degu::store::internal

namespace degu::store {

Statement Session::prepare(std::string_view sql) { return connection_.prepare(sql); }
int64_t Transaction::last_insert_id() const noexcept { return connection_.last_insert_id(); }

}  // namespace degu::store
