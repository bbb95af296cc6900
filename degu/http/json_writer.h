// json::Writer: JSON straight into a string, without a tree in between.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace degu::json {

/// Appends one JSON document to a string. Commas are the writer's business, nesting is the caller's: every
/// begin needs its end, and inside an object each value is preceded by its key (asserted nowhere: the writer
/// keeps no stack). Allocates only when the string grows. Not thread-safe. Strings pass through as UTF-8;
/// bytes that are not UTF-8 become U+FFFD, so the output is always valid. NaN and infinities, which JSON
/// lacks, are written as null.
///
///   std::string out;
///   json::Writer w(out);
///   w.begin_object(); w.key("id"); w.value(7); w.key("tags"); w.begin_array(); w.value("a"); w.end_array();
///   w.end_object();
///   // {"id":7,"tags":["a"]}
class Writer {
 public:
  /// Appends after what `out` holds already. `out` must outlive the writer.
  explicit Writer(std::string& out) noexcept : out_(out), start_(out.size()) {}

  void begin_object() { open('{'); }
  void end_object() { out_.push_back('}'); }
  void begin_array() { open('['); }
  void end_array() { out_.push_back(']'); }

  /// The name of the next value.
  void key(std::string_view name) {
    separate();
    append_quoted(name);
    out_.push_back(':');
  }

  void value(std::string_view text) {
    separate();
    append_quoted(text);
  }
  void value(const char* text) { value(std::string_view(text)); }
  void value(const std::string& text) { value(std::string_view(text)); }
  template <std::same_as<bool> B>
  void value(B flag) {
    raw(flag ? "true" : "false");
  }
  template <std::integral I>
  requires(!std::same_as<I, bool> && !std::same_as<I, char>) void value(I number) {
    separate();
    if constexpr (std::is_signed_v<I>) {
      append_int(static_cast<int64_t>(number));
    } else {
      append_uint(static_cast<uint64_t>(number));
    }
  }
  /// The shortest text that reads back as the same double.
  void value(double number);
  void value(float number);
  void value(std::nullptr_t) { raw("null"); }

  /// A decimal string, as ProtoJSON writes 64-bit integers: "123".
  void quoted(int64_t number);
  void quoted(uint64_t number);

  /// Text that is one JSON value already, taken as it is.
  void raw(std::string_view json) {
    separate();
    out_.append(json);
  }

  std::string& out() noexcept { return out_; }

 private:
  // A value follows another one unless it opens the document or stands right behind an opening bracket or a
  // colon: no string ends in these characters, since strings end in a quote. So one look back replaces a
  // stack.
  void separate() {
    if (out_.size() == start_) return;
    const char last = out_.back();
    if (last != '{' && last != '[' && last != ':') out_.push_back(',');
  }
  void open(char bracket) {
    separate();
    out_.push_back(bracket);
  }
  void append_quoted(std::string_view text);
  void append_int(int64_t number);
  void append_uint(uint64_t number);

  std::string& out_;
  std::size_t start_;
};

}  // namespace degu::json
