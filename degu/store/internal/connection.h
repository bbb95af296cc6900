// Connection: one SQLite handle with its statement cache. Used by one goroutine at a time.
#pragma once

#include <degu/store/statement.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct sqlite3;

namespace degu::store::internal {

struct CachedStatement {
  sqlite3_stmt* stmt = nullptr;
  bool busy = false;
  uint64_t used_at = 0;  // the cache's own clock, for eviction
};

struct ConnectionOptions {
  bool read_only = false;
  const char* synchronous = "FULL";
  std::chrono::milliseconds busy_timeout{5000};
  size_t cached_statements = 64;
};

class Connection {
 public:
  /// Opens (creating the file unless read_only) and sets the pragmas. Throws Error.
  static std::unique_ptr<Connection> open(const std::string& path, const ConnectionOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// From the cache, or compiled. A statement that is already in use is compiled a second time, uncached.
  Statement prepare(std::string_view sql);

  /// Runs any number of statements without parameters.
  void script(const std::string& sql);

  bool in_transaction() const noexcept;
  int64_t changes() const noexcept;
  int64_t last_insert_id() const noexcept;

  /// The Error for a result code of this connection; `sql` names the statement.
  Error error(int code, std::string_view sql) const;

 private:
  friend class store::Statement;

  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  Connection() = default;
  sqlite3_stmt* compile(std::string_view sql, bool persistent);
  void evict_one() noexcept;

  sqlite3* handle_ = nullptr;
  size_t cache_limit_ = 64;
  uint64_t clock_ = 0;
  std::unordered_map<std::string, CachedStatement, Hash, std::equal_to<>> cache_;
};

}  // namespace degu::store::internal
