#include <degu/base/time.h>
#include <degu/obs/log.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <iterator>

namespace degu {
namespace {

std::atomic<LogSink*> current_sink{nullptr};
std::atomic<Level> current_level{Level::kInfo};

// Length of the well-formed UTF-8 sequence at text[i] (Unicode 15, table 3-7), 0 when malformed.
std::size_t sequence_length(std::string_view text, std::size_t i) noexcept {
  const auto at = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  const unsigned lead = at(i);
  const auto tail = [&](std::size_t k, unsigned low = 0x80, unsigned high = 0xbf) {
    return at(k) >= low && at(k) <= high;
  };
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(i + 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : 0xbf;
    return tail(i + 1, low, high) && tail(i + 2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const unsigned low = lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;
    return tail(i + 1, low, high) && tail(i + 2) && tail(i + 3) ? 4 : 0;
  }
  return 0;
}

// U+202A..E, U+2066..9 and U+2028..9 reorder or break the line in a terminal.
bool hides_text(std::string_view sequence) noexcept {
  if (sequence.size() != 3 || sequence[0] != '\xe2') return false;
  const auto second = static_cast<unsigned char>(sequence[1]);
  const auto third = static_cast<unsigned char>(sequence[2]);
  return (second == 0x80 && third >= 0xa8 && third <= 0xae) ||
         (second == 0x81 && third >= 0xa6 && third <= 0xa9);
}

void append_ascii(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}",
                   static_cast<unsigned>(static_cast<unsigned char>(c)));
  } else {
    out += c;
  }
}

void append_value(std::string& out, const LogField::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return append_json_string(out, *text);
  if (const auto* number = std::get_if<double>(&value); number != nullptr && !std::isfinite(*number)) {
    out += "null";
    return;
  }
  std::visit(
      [&](const auto& v) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(v)>, std::string_view>) {
          fmt::format_to(std::back_inserter(out), "{}", v);
        }
      },
      value);
}

void write_stderr(Level level, std::string_view message, std::span<const LogField> fields) {
  const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(wall_now().time_since_epoch());
  const std::time_t second = wall.count() / 1000;
  tm utc{};
  ::gmtime_r(&second, &utc);
  std::string line;
  line.reserve(256);
  fmt::format_to(std::back_inserter(line),
                 R"({{"time":"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z","level":"{}","msg":)",
                 utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                 wall.count() % 1000, to_string(level));
  append_json_string(line, message);
  for (const LogField& field : fields) {
    line += ',';
    append_json_string(line, field.key);
    line += ':';
    append_value(line, field.value);
  }
  line += "}\n";
  // One write keeps lines of several threads whole; a failing stderr must not fail the program.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

std::string_view to_string(Level level) noexcept {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "info";
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_length(text, i);
    if (length == 1) {
      append_ascii(out, text[i]);
    } else if (length == 0) {
      out += "\xef\xbf\xbd";
    } else if (const std::string_view sequence = text.substr(i, length); hides_text(sequence)) {
      const unsigned code = ((static_cast<unsigned>(sequence[0]) & 0xfU) << 12U) |
                            ((static_cast<unsigned>(sequence[1]) & 0x3fU) << 6U) |
                            (static_cast<unsigned>(sequence[2]) & 0x3fU);
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
    } else {
      out += sequence;
    }
    i += length == 0 ? 1 : length;
  }
  out += '"';
}

void set_log_sink(LogSink* sink) noexcept { current_sink.store(sink, std::memory_order_release); }

void set_log_level(Level level) noexcept { current_level.store(level, std::memory_order_relaxed); }

bool log_enabled(Level level) noexcept { return level >= current_level.load(std::memory_order_relaxed); }

void log(Level level, std::string_view message, std::initializer_list<LogField> fields) noexcept {
  if (!log_enabled(level)) return;
  const std::span<const LogField> all(fields.begin(), fields.size());
  if (LogSink* sink = current_sink.load(std::memory_order_acquire); sink != nullptr) {
    sink->write(level, message, all);
    return;
  }
  try {
    write_stderr(level, message, all);
  } catch (const std::exception&) {
    // Out of memory: the record is dropped, as promised.
  }
}

}  // namespace degu
