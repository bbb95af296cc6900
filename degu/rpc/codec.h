// The codec that generated code is written in: ProtoJSON from and to C++ types, and single fields from text.
// Not for use by hand: call write_json, read_json and read_text of the message.
//
// Differences from ProtoJSON, on purpose: what a message does not have is an error unless
// FieldErrors::ignore_unknown; a field may stand in an object once, whatever its spelling; enums take no
// numbers that have no name.
#pragma once

#include <degu/http/json_reader.h>
#include <degu/http/json_writer.h>
#include <degu/rpc/message.h>

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace degu::rpc {

void write_json(json::Writer& writer, const Empty& message);
void read_json(json::Value value, Empty& message, json::FieldErrors& errors);
codec::Text read_text(Empty& message, std::string_view name, std::string_view text,
                      json::FieldErrors& errors);
void validate(const Empty& message, json::FieldErrors& errors);

}  // namespace degu::rpc

namespace degu::rpc::codec {

/// What a std::string holds.
enum class Form : uint8_t { kPlain, kBytes };

/// What became of a field given as text.
enum class Text : uint8_t {
  kUnknown,   ///< the message has no such field, or it cannot be given as text
  kSet,       ///< one value; giving it again would be a mistake
  kAppended,  ///< one more value of a list
};

// Scalars. Reading gives null or what is wrong; `out` is then as it was.
const char* read_scalar(json::Value value, bool& out);
const char* read_scalar(json::Value value, int32_t& out);
const char* read_scalar(json::Value value, int64_t& out);
const char* read_scalar(json::Value value, uint32_t& out);
const char* read_scalar(json::Value value, uint64_t& out);
const char* read_scalar(json::Value value, float& out);
const char* read_scalar(json::Value value, double& out);
const char* read_scalar(json::Value value, std::string& out);
const char* read_scalar(json::Value value, Timestamp& out);
const char* read_scalar(json::Value value, Duration& out);
const char* read_bytes(json::Value value, std::string& out);

const char* parse_scalar(std::string_view text, bool& out);
const char* parse_scalar(std::string_view text, int32_t& out);
const char* parse_scalar(std::string_view text, int64_t& out);
const char* parse_scalar(std::string_view text, uint32_t& out);
const char* parse_scalar(std::string_view text, uint64_t& out);
const char* parse_scalar(std::string_view text, float& out);
const char* parse_scalar(std::string_view text, double& out);
const char* parse_scalar(std::string_view text, std::string& out);
const char* parse_scalar(std::string_view text, Timestamp& out);
const char* parse_scalar(std::string_view text, Duration& out);
const char* parse_bytes(std::string_view text, std::string& out);

void write_scalar(json::Writer& writer, double value);  // NaN and infinities as ProtoJSON's strings
void write_scalar(json::Writer& writer, float value);
void write_scalar(json::Writer& writer, Timestamp value);
void write_scalar(json::Writer& writer, Duration value);
void write_bytes(json::Writer& writer, std::string_view value);
inline void write_scalar(json::Writer& writer, bool value) { writer.value(value); }
inline void write_scalar(json::Writer& writer, int32_t value) { writer.value(value); }
inline void write_scalar(json::Writer& writer, uint32_t value) { writer.value(value); }
inline void write_scalar(json::Writer& writer, int64_t value) { writer.quoted(value); }
inline void write_scalar(json::Writer& writer, uint64_t value) { writer.quoted(value); }
inline void write_scalar(json::Writer& writer, const std::string& value) {
  writer.value(std::string_view(value));
}

namespace internal {

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsOptional<Box<T>> = true;
template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsMap = false;
template <class K, class V>
inline constexpr bool kIsMap<std::map<K, V>> = true;
template <class T>
inline constexpr bool kIsScalar = std::is_arithmetic_v<T> || std::is_same_v<T, std::string> ||
                                  std::is_same_v<T, Timestamp> || std::is_same_v<T, Duration>;
template <class T>
inline constexpr bool kIsMessage =
    !kIsScalar<T> && !std::is_enum_v<T> && !kIsOptional<T> && !kIsVector<T> && !kIsMap<T>;

inline constexpr const char* kNoSuchName = "is not one of the allowed names";

bool expect(json::Value value, json::Type type, json::FieldErrors& errors);
/// The name of an enum's value in JSON: a string that is no number, or the text of a number.
bool enum_text(json::Value value, std::string& out);

}  // namespace internal

/// Writes one value; an absent optional is null.
template <Form F = Form::kPlain, class T>
void write_value(json::Writer& writer, const T& value) {
  if constexpr (internal::kIsOptional<T>) {
    if (value.has_value()) {
      write_value<F>(writer, *value);
    } else {
      writer.value(nullptr);
    }
  } else if constexpr (internal::kIsVector<T>) {
    writer.begin_array();
    for (const typename T::value_type& item : value) write_value<F, typename T::value_type>(writer, item);
    writer.end_array();
  } else if constexpr (internal::kIsMap<T>) {
    writer.begin_object();
    for (const auto& [key, item] : value) {
      if constexpr (std::is_same_v<typename T::key_type, std::string>) {
        writer.key(key);
      } else if constexpr (std::is_same_v<typename T::key_type, bool>) {
        writer.key(key ? "true" : "false");
      } else {
        writer.key(std::to_string(key));
      }
      write_value<F>(writer, item);
    }
    writer.end_object();
  } else if constexpr (std::is_enum_v<T>) {
    const std::string_view name = to_string(value);
    if (name.empty()) {
      writer.value(static_cast<int32_t>(value));
    } else {
      writer.value(name);
    }
  } else if constexpr (F == Form::kBytes) {
    write_bytes(writer, value);
  } else if constexpr (internal::kIsScalar<T>) {
    write_scalar(writer, value);
  } else {
    write_json(writer, value);
  }
}

/// Writes a member of an object; `key` is its JSON text with quotes and colon. Absent optionals are left out.
template <Form F = Form::kPlain, class T>
void write_member(json::Writer& writer, std::string_view key, const T& value) {
  if constexpr (internal::kIsOptional<T>) {
    if (!value.has_value()) return;
    writer.raw(key);
    write_value<F>(writer, *value);
  } else {
    writer.raw(key);
    write_value<F>(writer, value);
  }
}

template <Form F = Form::kPlain, class T>
void read_value(json::Value value, T& out, json::FieldErrors& errors);

namespace internal {

/// One value of a scalar or enum type: null or what is wrong.
template <Form F, class T>
const char* read_one(json::Value value, T& out) {
  if constexpr (std::is_enum_v<T>) {
    std::string name;
    return enum_text(value, name) && from_string(name, out) ? nullptr : kNoSuchName;
  } else if constexpr (F == Form::kBytes) {
    return read_bytes(value, out);
  } else {
    return read_scalar(value, out);
  }
}

template <Form F, class T>
const char* parse_one(std::string_view text, T& out) {
  if constexpr (std::is_enum_v<T>) {
    return from_string(text, out) ? nullptr : kNoSuchName;
  } else if constexpr (F == Form::kBytes) {
    return parse_bytes(text, out);
  } else {
    return parse_scalar(text, out);
  }
}

template <Form F, class T>
void read_list(json::Value value, std::vector<T>& out, json::FieldErrors& errors) {
  if (!expect(value, json::Type::kArray, errors)) return;
  out.clear();
  out.reserve(value.size());
  value.each_element([&](json::Value element) {
    json::FieldErrors::Scope scope(errors, out.size());
    T item{};
    if (element.is_null()) {
      errors.add({}, "must not be null");
    } else {
      read_value<F>(element, item, errors);
    }
    out.push_back(std::move(item));
  });
}

template <Form F, class K, class V>
void read_map(json::Value value, std::map<K, V>& out, json::FieldErrors& errors) {
  if (!expect(value, json::Type::kObject, errors)) return;
  out.clear();
  value.each_member([&](std::string_view name, json::Value member) {
    json::FieldErrors::Scope scope(errors, name);
    K key{};
    if (const char* fault = parse_scalar(name, key)) return errors.add({}, std::string("the key ") + fault);
    const auto [entry, added] = out.try_emplace(std::move(key));
    if (!added) return errors.add({}, "is given more than once");
    if (member.is_null()) return errors.add({}, "must not be null");
    read_value<F>(member, entry->second, errors);
  });
}

}  // namespace internal

/// Reads one value; faults go to `errors` at the current path.
template <Form F, class T>
void read_value(json::Value value, T& out, json::FieldErrors& errors) {
  if constexpr (internal::kIsOptional<T>) {
    using Held = std::remove_cvref_t<decltype(*out)>;
    if constexpr (internal::kIsMessage<Held>) {
      if (!internal::expect(value, json::Type::kObject, errors)) return;
    }
    read_value<F>(value, out.emplace(), errors);
  } else if constexpr (internal::kIsVector<T>) {
    if constexpr (std::is_same_v<typename T::value_type, bool>) {
      std::vector<uint8_t> items;  // no references into vector<bool>
      if (!internal::expect(value, json::Type::kArray, errors)) return;
      value.each_element([&](json::Value element) {
        json::FieldErrors::Scope scope(errors, items.size());
        bool item = false;
        read_value(element, item, errors);
        items.push_back(item ? 1 : 0);
      });
      out.assign(items.begin(), items.end());
    } else {
      internal::read_list<F>(value, out, errors);
    }
  } else if constexpr (internal::kIsMap<T>) {
    internal::read_map<F>(value, out, errors);
  } else if constexpr (internal::kIsMessage<T>) {
    read_json(value, out, errors);
  } else {
    if (const char* fault = internal::read_one<F>(value, out)) errors.add({}, fault);
  }
}

/// Reads the member `name` of an object. null leaves the field as it is, as ProtoJSON has it.
template <Form F = Form::kPlain, class T>
void read_member(json::Value value, std::string_view name, T& out, json::FieldErrors& errors) {
  if (value.is_null()) return;
  if constexpr (internal::kIsScalar<T> ||
                std::is_enum_v<T>) {  // the common case builds no path unless it fails
    if (const char* fault = internal::read_one<F>(value, out)) errors.add(name, fault);
  } else {
    json::FieldErrors::Scope scope(errors, name);
    read_value<F>(value, out, errors);
  }
}

/// Calls read(index, value) for each member that `find` knows; reports unknown members and those given in
/// both spellings.
template <size_t N, class F>
void read_object(json::Value value, json::FieldErrors& errors, const std::string_view (&names)[N],
                 int (*find)(std::string_view) noexcept, F read) {
  if (!internal::expect(value, json::Type::kObject, errors)) return;
  std::bitset<N> seen;
  value.each_member([&](std::string_view key, json::Value member) {
    const int found = find(key);
    if (found < 0) {
      if (!errors.ignores_unknown()) errors.add(key, "is not a known field");
      return;
    }
    const auto index = static_cast<size_t>(found);
    if (seen.test(index)) return errors.add(names[index], "is given more than once");
    seen.set(index);
    read(found, member);
  });
}

/// An object of a message without fields.
void read_empty_object(json::Value value, json::FieldErrors& errors);

/// "a" of "a.b.c".
inline std::string_view first_part(std::string_view name) { return name.substr(0, name.find('.')); }

/// Sets a scalar, an enum or one more entry of a list of these from text. `name` is what was asked for,
/// `member` what the field is called in JSON and in errors.
template <Form F = Form::kPlain, class T>
Text read_text_field(std::string_view name, std::string_view member, T& out, std::string_view text,
                     json::FieldErrors& errors) {
  if (name.find('.') != std::string_view::npos) return Text::kUnknown;
  if constexpr (internal::kIsOptional<T>) {
    return read_text_field<F>(name, member, out.emplace(), text, errors);
  } else if constexpr (internal::kIsVector<T>) {
    using Item = typename T::value_type;
    if constexpr (internal::kIsMessage<Item>) {
      return Text::kUnknown;
    } else {
      Item item{};
      if (const char* fault = internal::parse_one<F>(text, item)) errors.add(member, fault);
      out.push_back(std::move(item));
      return Text::kAppended;
    }
  } else if constexpr (internal::kIsMap<T> || internal::kIsMessage<T>) {
    return Text::kUnknown;
  } else {
    if (const char* fault = internal::parse_one<F>(text, out)) errors.add(member, fault);
    return Text::kSet;
  }
}

/// Sets the field "a.b" through the message member a.
template <class T>
Text read_nested_text(std::string_view name, std::string_view member, T& out, std::string_view text,
                      json::FieldErrors& errors) {
  const std::string_view first = first_part(name);
  if (first.size() == name.size()) return Text::kUnknown;
  if (!out.has_value()) out.emplace();
  json::FieldErrors::Scope scope(errors, member);
  return read_text(*out, name.substr(first.size() + 1), text, errors);
}

}  // namespace degu::rpc::codec
