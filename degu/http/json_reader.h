// json::Document and json::Value: strict reading of JSON; json::FieldErrors: every fault of a document at
// once.
#pragma once

#include <degu/base/error.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace degu::json {

class Value;

enum class Type : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

/// "null", "boolean", "number", "string", "array", "object".
std::string_view to_string(Type type) noexcept;

struct ReadLimits {
  std::size_t max_bytes = 16 * 1024 * 1024;  ///< of the text; also hard-capped at 4 GiB by the parser
};

/// Arrays and objects nested deeper than this are refused.
inline constexpr std::size_t kMaxDepth = 64;

/// One parsed JSON text (RFC 8259). Owns a copy of it: Values and the string_views they give are valid while
/// the Document lives and is not moved from. Movable; reading one from several goroutines at once is safe.
class Document {
 public:
  /// Throws Error(kInvalidArgument) that says what is wrong and, for syntax, at which line and column, when
  /// the text is not one JSON value in UTF-8, nests deeper than kMaxDepth, repeats a key within an object,
  /// holds an integer beyond 64 bits, or is longer than the limit.
  static Document parse(std::string_view text, ReadLimits limits = {});

  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  Value root() const noexcept;

 private:
  struct Impl;
  explicit Document(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// A place in a Document: two words, copied freely. A default-made one is null.
class Value {
 public:
  Value() noexcept = default;

  Type type() const noexcept;
  bool is_null() const noexcept { return type() == Type::kNull; }

  // Each gives nothing when the value is of another type. Integers are exact: a number with a fraction or an
  // exponent is no integer, and one out of range gives nothing.
  std::optional<std::string_view> string() const noexcept;
  std::optional<int64_t> int64() const noexcept;
  std::optional<uint64_t> uint64() const noexcept;
  std::optional<double> number() const noexcept;
  std::optional<bool> boolean() const noexcept;

  /// Calls f(std::string_view key, Value) for each member in order; nothing when this is no object.
  template <class F>
  void each_member(F f) const {
    members(&f, [](void* context, std::string_view key, Value value) {
      (*static_cast<F*>(context))(key, value);
    });
  }
  /// Calls f(Value) for each element in order; nothing when this is no array.
  template <class F>
  void each_element(F f) const {
    elements(&f, [](void* context, Value value) { (*static_cast<F*>(context))(value); });
  }
  /// The member of that name. Linear in the number of members.
  std::optional<Value> find(std::string_view key) const noexcept;
  /// Elements or members; 0 for scalars.
  std::size_t size() const noexcept;

 private:
  friend class Document;
  friend struct ValueAccess;
  Value(const void* document, std::size_t index) noexcept : document_(document), index_(index) {}

  void members(void* context, void (*visit)(void*, std::string_view, Value)) const;
  void elements(void* context, void (*visit)(void*, Value)) const;

  const void* document_ = nullptr;
  std::size_t index_ = 0;
};

/// Collects field violations while a document is read, so that a client learns all of them from one answer.
/// Keeps at most 100. The current path ("items[2].quantity") is a stack that readers push to and pop from.
class FieldErrors {
 public:
  /// A fault at `path` below the current path; an empty path means the current one.
  void add(std::string_view path, std::string reason);
  bool empty() const noexcept { return details_.empty(); }
  bool has(std::string_view path) const noexcept;
  const std::vector<ErrorDetail>& details() const noexcept { return details_; }
  /// Throws Error(kInvalidArgument, message, details) unless empty.
  void throw_if_any(std::string_view message = "the request has invalid fields");

  /// Readers report members that their type does not have, unless this is set.
  void ignore_unknown(bool ignore) noexcept { ignore_unknown_ = ignore; }
  bool ignores_unknown() const noexcept { return ignore_unknown_; }

  void push(std::string_view member);
  void push(std::size_t index);
  void pop() noexcept;
  std::string_view path() const noexcept { return path_; }

  /// push on construction, pop on destruction.
  class Scope {
   public:
    Scope(FieldErrors& errors, std::string_view member) : errors_(errors) { errors_.push(member); }
    Scope(FieldErrors& errors, std::size_t index) : errors_(errors) { errors_.push(index); }
    ~Scope() { errors_.pop(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    FieldErrors& errors_;
  };

 private:
  std::string path_;
  std::vector<std::size_t> lengths_;  // of path_ before each push
  std::vector<ErrorDetail> details_;
  bool ignore_unknown_ = false;
};

}  // namespace degu::json
