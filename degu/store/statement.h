// Statement and Row: typed binding and reading over a prepared SQLite statement.
#pragma once

#include <degu/base/error.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

struct sqlite3_stmt;

namespace degu::store {

namespace internal {
class Connection;
struct CachedStatement;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
[[noreturn]] void throw_narrowing(int column, int64_t value);
}  // namespace internal

/// The current row of a Statement. Valid until the statement's next step, and only inside the read or write
/// that made it. Columns count from 0.
class Row {
 public:
  /// The column as T: bool, any integer, float, double, std::string, std::string_view (points into the row,
  /// valid until the next step), std::vector<std::byte>, or std::optional of one of these (NULL is nullopt).
  /// The stored type has to fit: text read as a number, NULL read as a plain T, a number outside T's range
  /// throw Error(kDataLoss).
  template <class T>
  T get(int column) const;

  bool is_null(int column) const noexcept;
  int columns() const noexcept;

 private:
  friend class Statement;
  explicit Row(sqlite3_stmt* stmt) noexcept : stmt_(stmt) {}

  int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;
  std::span<const std::byte> blob(int column) const;

  sqlite3_stmt* stmt_;
};

/// A prepared statement checked out of its connection's cache; its destructor resets it and gives it back.
/// Bound values are copied. Parameters count from 1. Move-only; used by one goroutine, inside the read or
/// write that made it. Every failure is an Error (see sqlite_error.h for the mapping).
class Statement {
 public:
  Statement(Statement&& other) noexcept
      : connection_(other.connection_),
        cached_(std::exchange(other.cached_, nullptr)),
        stmt_(std::exchange(other.stmt_, nullptr)) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  /// Binds parameter `index`: bool, any integer (unsigned values must fit int64_t), double, anything that
  /// converts to std::string_view (as text), a span of bytes (as a blob), nullptr or nullopt (NULL),
  /// std::optional.
  template <class T>
  Statement& bind(int index, const T& value);

  /// Binds all parameters in order, starting with the first.
  template <class... T>
  Statement& bind_all(const T&... values) {
    int index = 0;
    (bind(++index, values), ...);
    return *this;
  }

  /// Runs to the next row; nullopt after the last.
  std::optional<Row> next();

  /// Runs to the end, ignoring rows; returns how many rows the statement inserted, changed or deleted.
  int64_t run();

  /// Makes it ready to run again with new values.
  void reset() noexcept;

 private:
  friend class internal::Connection;
  Statement(internal::Connection& connection, internal::CachedStatement* cached, sqlite3_stmt* stmt) noexcept
      : connection_(&connection), cached_(cached), stmt_(stmt) {}

  void bind_null(int index);
  void bind_integer(int index, int64_t value);
  void bind_real(int index, double value);
  void bind_text(int index, std::string_view value);
  void bind_blob(int index, std::span<const std::byte> value);

  internal::Connection* connection_;
  internal::CachedStatement* cached_;
  sqlite3_stmt* stmt_;
};

template <class T>
T Row::get(int column) const {
  if constexpr (internal::kIsOptional<T>) {
    if (is_null(column)) return std::nullopt;
    return get<typename T::value_type>(column);
  } else if constexpr (std::is_same_v<T, bool>) {
    return integer(column) != 0;
  } else if constexpr (std::is_integral_v<T>) {
    const int64_t value = integer(column);
    if (!std::in_range<T>(value)) internal::throw_narrowing(column, value);
    return static_cast<T>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(real(column));
  } else if constexpr (std::is_same_v<T, std::vector<std::byte>>) {
    const auto bytes = blob(column);
    return {bytes.begin(), bytes.end()};
  } else {
    static_assert(std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>, "not a column type");
    return T(text(column));
  }
}

template <class T>
Statement& Statement::bind(int index, const T& value) {
  if constexpr (std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t>) {
    bind_null(index);
  } else if constexpr (internal::kIsOptional<T>) {
    if (value) {
      bind(index, *value);
    } else {
      bind_null(index);
    }
  } else if constexpr (std::is_same_v<T, bool>) {
    bind_integer(index, value ? 1 : 0);
  } else if constexpr (std::is_integral_v<T>) {
    if (!std::in_range<int64_t>(value)) {
      throw Error(Code::kOutOfRange, "value of parameter " + std::to_string(index) + " exceeds 63 bits");
    }
    bind_integer(index, static_cast<int64_t>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    bind_real(index, static_cast<double>(value));
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    bind_text(index, std::string_view(value));
  } else {
    static_assert(std::is_convertible_v<const T&, std::span<const std::byte>>, "not a parameter type");
    bind_blob(index, std::span<const std::byte>(value));
  }
  return *this;
}

}  // namespace degu::store
