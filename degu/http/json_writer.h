// json::Writer: JSON straight into a string, without a tree in between.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
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
  /// Appends after what `out` holds already. `out` must outlive the writer, and nobody else may change it meanwhile.
  explicit Writer(std::string& out) noexcept : out_(out), start_(out.size()) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// For as long as it lives the writer's string holds more than what was written, which makes writing about twice as
  /// fast; then the rest is cut off. They nest.
  class Batch {
   public:
    explicit Batch(Writer& writer) noexcept : writer_(writer) { ++writer_.batches_; }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() {
      --writer_.batches_;
      writer_.settle();
    }

   private:
    Writer& writer_;
  };

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  /// The name of the next value.
  void key(std::string_view name) {
    separate();
    append_quoted(name);
    close(':');
  }

  void value(std::string_view text) {
    separate();
    append_quoted(text);
    settle();
  }
  void value(const char* text) { value(std::string_view(text)); }
  void value(const std::string& text) { value(std::string_view(text)); }
  template <std::same_as<bool> B>
  void value(B flag) {
    flag ? raw("true") : raw("false");
  }
  template <std::integral I>
  requires(!std::same_as<I, bool> && !std::same_as<I, char>) void value(I number) {
    separate();
    if constexpr (std::is_signed_v<I>) {
      append_int(static_cast<int64_t>(number));
    } else {
      append_uint(static_cast<uint64_t>(number));
    }
    settle();
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
    append(json);
    settle();
  }

 private:
  friend class MemberWriter;

  // What the string holds between at_ and end_ is room. Outside of batches there is none: at_ is end_, or both are null.
  char* room(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) [[unlikely]]
      make_room(bytes);
    return at_;
  }
  void make_room(std::size_t bytes);
  std::size_t written() const noexcept {
    return at_ != nullptr ? static_cast<std::size_t>(at_ - out_.data()) : out_.size();
  }
  void settle() {
    if (batches_ == 0) cut();
  }
  void cut() {
    if (at_ == nullptr) return;
    out_.resize(written());
    at_ = end_ = nullptr;
  }

  // A value follows another one unless it opens the document or stands right behind an opening bracket or a
  // colon: no string ends in these characters, since strings end in a quote. So one look back replaces a
  // stack.
  void separate() {
    const std::size_t size = written();
    if (size == start_) return;
    const char last = out_[size - 1];
    if (last != '{' && last != '[' && last != ':') append(',');
  }
  void open(char bracket) {
    separate();
    close(bracket);
  }
  void close(char bracket) {
    append(bracket);
    settle();
  }
  void append(char c) {
    *room(1) = c;
    ++at_;
  }
  void append(std::string_view text) {
    if (text.empty()) return;
    char* to = room(text.size());
    std::memcpy(to, text.data(), text.size());
    at_ = to + text.size();
  }
  void append_quoted(std::string_view text);
  void append_escaped(std::string_view text);
  void append_int(int64_t number);
  void append_uint(uint64_t number);
  template <class T>
  void append_real(T number);

  std::string& out_;
  std::size_t start_;
  char* at_ = nullptr;
  char* end_ = nullptr;
  unsigned batches_ = 0;
};

/// The members of an object whose names are known when the program is compiled.
class MemberWriter {
 public:
  explicit MemberWriter(Writer& writer) : writer_(writer), batch_(writer) {
    writer_.separate();
    start_ = writer_.written();
  }
  MemberWriter(const MemberWriter&) = delete;
  MemberWriter& operator=(const MemberWriter&) = delete;

  /// `text` is a comma and the name as JSON: `,"name":`.
  template <class Text>
  void key(const Text& text) {
    writer_.append(std::string_view(text.data(), text.size()));
  }
  void end() {
    // The comma of the first member becomes the bracket.
    if (writer_.written() == start_) writer_.append('{');
    writer_.out_[start_] = '{';
    writer_.append('}');
  }

 private:
  Writer& writer_;
  Writer::Batch batch_;
  std::size_t start_ = 0;
};

}  // namespace degu::json
