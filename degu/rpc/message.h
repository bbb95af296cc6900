// What generated messages are made of besides the standard library; kept small, since every generated header
// has it.
#pragma once

#include <degu/base/time.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace degu::http {
class RouterGroup;
}
namespace degu::json {
class FieldErrors;
class SchemaSet;
class Value;
class Writer;
enum class SchemaUse : uint8_t;
}  // namespace degu::json

namespace degu::rpc {

struct LocalOptions;
struct RestOptions;

namespace codec {
enum class Text : uint8_t;
}

/// google.protobuf.Timestamp: RFC 3339 in JSON ("2026-03-01T12:00:00.250Z"). Reaches from 1677 to 2262.
using Timestamp = std::chrono::sys_time<std::chrono::nanoseconds>;

/// google.protobuf.Duration: seconds in JSON ("1.500s"). Reaches 292 years either way.
using Duration = std::chrono::nanoseconds;

/// The time of the wall clock, for fields.
inline Timestamp timestamp_now() {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(wall_now());
}

/// google.protobuf.Empty.
struct Empty {
  friend bool operator==(const Empty&, const Empty&) = default;
};

/// An optional T on the heap, for messages that contain themselves. Copies deeply and compares by content.
/// Used as a std::optional is.
template <class T>
class Box {
 public:
  Box() noexcept = default;
  Box(T value) : value_(std::make_unique<T>(std::move(value))) {}
  Box(const Box& other) : value_(other.value_ ? std::make_unique<T>(*other.value_) : nullptr) {}
  Box(Box&&) noexcept = default;
  Box& operator=(const Box& other) { return *this = Box(other); }
  Box& operator=(Box&&) noexcept = default;
  ~Box() = default;

  bool has_value() const noexcept { return value_ != nullptr; }
  explicit operator bool() const noexcept { return has_value(); }
  T& operator*() noexcept { return *value_; }
  const T& operator*() const noexcept { return *value_; }
  T* operator->() noexcept { return value_.get(); }
  const T* operator->() const noexcept { return value_.get(); }
  T& emplace() {
    value_ = std::make_unique<T>();
    return *value_;
  }
  void reset() noexcept { value_.reset(); }

  friend bool operator==(const Box& a, const Box& b) {
    return a.has_value() == b.has_value() && (!a.has_value() || *a == *b);
  }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace degu::rpc
