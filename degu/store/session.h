// Session: what a read and a write have in common: running SQL on the connection they hold.
#pragma once

#include <degu/store/statement.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

namespace degu::store {

/// Handed to the closures of Database::read and Database::write; valid only while the closure runs.
/// Statements are prepared once a connection and cached by their text, so pass literal SQL with parameters,
/// never values in the text.
class Session {
 public:
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// The statement, not yet bound.
  Statement prepare(std::string_view sql);

  /// The statement with its parameters bound: `auto q = tx.query("SELECT a FROM t WHERE id=?", id);`
  /// `while (auto row = q.next()) use(row->get<int64_t>(0));`
  template <class... Args>
  Statement query(std::string_view sql, const Args&... args) {
    Statement statement = prepare(sql);
    statement.bind_all(args...);
    return statement;
  }

  /// Runs a statement to its end; returns the number of rows inserted, changed or deleted.
  template <class... Args>
  int64_t exec(std::string_view sql, const Args&... args) {
    return query(sql, args...).run();
  }

  /// The first column of the first row as T, or nullopt when there is no row or it is NULL.
  template <class T, class... Args>
  std::optional<T> value(std::string_view sql, const Args&... args) {
    static_assert(!std::is_same_v<T, std::string_view>, "would outlive its row");
    Statement statement = query(sql, args...);
    const auto row = statement.next();
    if (!row) return std::nullopt;
    return row->template get<std::optional<T>>(0);
  }

 protected:
  explicit Session(internal::Connection& connection) noexcept : connection_(connection) {}
  ~Session() = default;

  internal::Connection& connection_;
};

/// One consistent view of the database for a read; writes fail with Error(kPermissionDenied).
class Snapshot : public Session {
 public:
  explicit Snapshot(internal::Connection& connection) noexcept : Session(connection) {}
};

/// One all-or-nothing change; see Database::write.
class Transaction : public Session {
 public:
  explicit Transaction(internal::Connection& connection) noexcept : Session(connection) {}

  /// The rowid of the last row that this connection inserted.
  int64_t last_insert_id() const noexcept;
};

}  // namespace degu::store
