// Log: structured records through a sink. The facade has no I/O of its own beyond the default sink on stderr.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace degu {

enum class Level : uint8_t { kDebug, kInfo, kWarn, kError };

std::string_view to_string(Level level) noexcept;

/// One key and value of a record. Refers to its strings: use it only as an argument.
struct LogField {
  using Value = std::variant<std::string_view, int64_t, uint64_t, double, bool>;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) LogField(std::string_view k, T v) : key(k) {
    if constexpr (std::is_signed_v<T>) {
      value = static_cast<int64_t>(v);
    } else {
      value = static_cast<uint64_t>(v);
    }
  }

  std::string_view key;
  Value value;
};

/// Where records go. write() may be called from several threads at once and must not throw.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(Level level, std::string_view message, std::span<const LogField> fields) noexcept = 0;
};

/// Replaces the sink; null restores the default (one JSON line a record on stderr, one write(2) each). The
/// sink must outlive all logging. Thread-safe.
void set_log_sink(LogSink* sink) noexcept;

/// Records below the level are dropped before they are formatted. Default kInfo. Thread-safe.
void set_log_level(Level level) noexcept;
bool log_enabled(Level level) noexcept;

/// Emits one record. Control and bidirectional characters are escaped, so a record stays one line. May block
/// for as long as stderr does. Never throws: a record that cannot be formatted is dropped.
void log(Level level, std::string_view message, std::initializer_list<LogField> fields = {}) noexcept;

/// Appends `text` to `out` as a JSON string with quotes; invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace degu
