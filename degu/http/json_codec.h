// json::write and json::read: C++ values to JSON and back, structs by their Boost.Describe description.
#pragma once

#include <degu/http/json_reader.h>
#include <degu/http/json_writer.h>

#include <array>
#include <boost/describe.hpp>
#include <boost/mp11/algorithm.hpp>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// A struct takes part by describing its members once:
///
///   struct User { std::string name; std::optional<int> age; };
///   BOOST_DESCRIBE_STRUCT(User, (), (name, age))
///
///   std::string text = json::to_string(User{"Ada", 36});   // {"name":"Ada","age":36}
///   auto user = json::from_string<User>(text);              // throws Error(kInvalidArgument) with every
///   faulty field
///
/// Members: bool, integers, float and double, std::string, described enums (by name), std::optional (absent
/// when empty), std::vector, std::map<std::string, T>, described structs. A member that the text lacks keeps
/// its default, unless its type is Required<T>: then it is an error among the others. A member that the struct
/// lacks is an error unless FieldErrors::ignore_unknown is set; null is an error except for optionals. A type with its own functions `write_json(Writer&, const T&)` and
/// `read_json(Value, T&, FieldErrors&)`, found by argument-dependent lookup, is read and written by these.
namespace degu::json {

template <class T>
concept HasWriteJson = requires(Writer& writer, const T& value) {
  write_json(writer, value);
};
template <class T>
concept HasReadJson = requires(Value value, T& out, FieldErrors& errors) {
  read_json(value, out, errors);
};
template <class T>
concept DescribedStruct = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;
template <class T>
concept DescribedEnum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;

/// A member that must be given: its absence is a fault of its own, "is required". Used like a pointer to T, or
/// as a T where one is expected.
///
///   struct NewUser { json::Required<std::string> name; std::optional<int> age; };
template <class T>
struct Required {
  T value{};
  bool given = false;  ///< set by whoever reads it, even when what was given is faulty

  Required() = default;
  Required(T initial) : value(std::move(initial)), given(true) {}  // implicit, as std::optional's
  const T& operator*() const noexcept { return value; }
  T& operator*() noexcept { return value; }
  const T* operator->() const noexcept { return &value; }
  T* operator->() noexcept { return &value; }
  operator const T&() const noexcept { return value; }
};

/// False for types of members that JSON never holds although their struct is described, because they come from
/// elsewhere (degu/http's FromHeader, UploadedFile ...): writing leaves them out, reading takes their names for
/// unknown ones.
template <class T>
inline constexpr bool kInText = true;
template <class T>
inline constexpr bool kInText<Required<T>> = kInText<T>;
template <class T>
inline constexpr bool kInText<std::optional<T>> = kInText<T>;
template <class T, class A>
inline constexpr bool kInText<std::vector<T, A>> = kInText<T>;

namespace internal {

template <class T>
struct IsRequired : std::false_type {};
template <class T>
struct IsRequired<Required<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T, class A>
struct IsVector<std::vector<T, A>> : std::true_type {};
template <class T>
struct IsStringMap : std::false_type {};
template <class T, class C, class A>
struct IsStringMap<std::map<std::string, T, C, A>> : std::true_type {};

template <class T>
using Members =
    boost::describe::describe_members<T, boost::describe::mod_any_access | boost::describe::mod_inherited>;

/// Calls f(std::string_view name, pointer-to-member) for each described member.
template <class T, class F>
constexpr void each_described(F f) {
  boost::mp11::mp_for_each<Members<T>>(
      [&](auto member) { f(std::string_view(member.name), member.pointer); });
}

// What a fault calls the member: types that have a name of their own in the request (a header's) say so.
template <class Member>
constexpr std::string_view field_name(std::string_view name) noexcept {
  if constexpr (IsRequired<Member>::value) {
    return field_name<decltype(Member::value)>(name);
  } else if constexpr (requires { Member::kName.view(); }) {
    return Member::kName.view();
  } else {
    return name;
  }
}

template <class T>
inline constexpr bool kAlwaysFalse = false;

// Type-erased cores in json_codec.cc: what is wrong with a scalar, reported at the current path.
bool read_bool(Value value, bool& out, FieldErrors& errors);
bool read_signed(Value value, int64_t min, int64_t max, int64_t& out, FieldErrors& errors);
bool read_unsigned(Value value, uint64_t max, uint64_t& out, FieldErrors& errors);
bool read_double(Value value, double& out, FieldErrors& errors);
bool read_string(Value value, std::string& out, FieldErrors& errors);
bool check_type(Value value, Type wanted, FieldErrors& errors);
void unknown_member(std::string_view key, FieldErrors& errors);

}  // namespace internal

/// The described name of an enumerator; empty when the value has none.
template <DescribedEnum E>
std::string_view enum_name(E value) noexcept {
  std::string_view name;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto enumerator) {
    if (enumerator.value == value) name = enumerator.name;
  });
  return name;
}

/// The enumerator of that name.
template <DescribedEnum E>
std::optional<E> enum_value(std::string_view name) noexcept {
  std::optional<E> value;
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto enumerator) {
    if (name == enumerator.name) value = enumerator.value;
  });
  return value;
}

template <class T>
void write(Writer& writer, const T& value);
template <class T>
void read(Value value, T& out, FieldErrors& errors);

namespace internal {

/// `,"name":`
template <class Member>
struct KeyText {
  static constexpr auto value = [] {
    constexpr std::string_view name(Member::name);
    std::array<char, name.size() + 4> text{};
    text[0] = ',';
    text[1] = '"';
    for (std::size_t i = 0; i < name.size(); ++i) text[i + 2] = name[i];
    text[name.size() + 2] = '"';
    text[name.size() + 3] = ':';
    return text;
  }();
};

template <class T>
void write_struct(Writer& writer, const T& value) {
  MemberWriter members(writer);
  boost::mp11::mp_for_each<Members<T>>([&](auto described) {
    const auto& member = value.*described.pointer;
    using Member = std::remove_cvref_t<decltype(member)>;
    if constexpr (kInText<Member>) {
      if constexpr (IsOptional<Member>::value) {
        if (!member) return;
      }
      members.key(KeyText<decltype(described)>::value);
      json::write(writer, member);
    }
  });
  members.end();
}

// What the text gives; what it lacks is left to check_required, since a request may give it elsewhere.
template <class T>
bool read_members(Value value, T& out, FieldErrors& errors) {
  if (!check_type(value, Type::kObject, errors)) return false;
  value.each_member([&](std::string_view key, Value member) {
    bool known = false;
    each_described<T>([&](std::string_view name, auto pointer) {
      if constexpr (kInText<std::remove_cvref_t<decltype(out.*pointer)>>) {
        if (known || name != key) return;
        known = true;
        FieldErrors::Scope scope(errors, key);
        json::read(member, out.*pointer, errors);
      }
    });
    if (!known) unknown_member(key, errors);
  });
  return true;
}

// Reports the Required members of `value` itself that nobody has given.
template <class T>
void check_required(const T& value, FieldErrors& errors) {
  each_described<T>([&](std::string_view name, auto pointer) {
    using Member = std::remove_cvref_t<decltype(value.*pointer)>;
    if constexpr (IsRequired<Member>::value) {
      if (!(value.*pointer).given) errors.add(field_name<Member>(name), "is required");
    }
  });
}

template <class T>
void read_struct(Value value, T& out, FieldErrors& errors) {
  if (read_members(value, out, errors)) check_required(out, errors);
}

template <class T>
void read_vector(Value value, T& out, FieldErrors& errors) {
  if (!check_type(value, Type::kArray, errors)) return;
  out.clear();
  value.each_element([&](Value element) {
    FieldErrors::Scope scope(errors, out.size());
    typename T::value_type item{};
    json::read(element, item, errors);
    out.push_back(std::move(item));
  });
}

template <class T>
void read_map(Value value, T& out, FieldErrors& errors) {
  if (!check_type(value, Type::kObject, errors)) return;
  out.clear();
  value.each_member([&](std::string_view key, Value member) {
    FieldErrors::Scope scope(errors, key);
    typename T::mapped_type item{};
    json::read(member, item, errors);
    out.emplace(std::string(key), std::move(item));
  });
}

template <class E>
void read_enum(Value value, E& out, FieldErrors& errors) {
  const auto name = value.string();
  const auto found = name ? enum_value<E>(*name) : std::nullopt;
  if (!found) return errors.add("", "is not one of the allowed names");
  out = *found;
}

template <class T>
void read_integer(Value value, T& out, FieldErrors& errors) {
  if constexpr (std::is_signed_v<T>) {
    int64_t number = 0;
    if (read_signed(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), number, errors)) {
      out = static_cast<T>(number);
    }
  } else {
    uint64_t number = 0;
    if (read_unsigned(value, std::numeric_limits<T>::max(), number, errors)) out = static_cast<T>(number);
  }
}

}  // namespace internal

/// Writes one value. Allocates only in the writer's string.
template <class T>
void write(Writer& writer, const T& value) {
  if constexpr (internal::IsRequired<T>::value) {
    json::write(writer, value.value);
  } else if constexpr (HasWriteJson<T>) {
    write_json(writer, value);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::nullptr_t>) {
    writer.value(value);
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    writer.value(std::string_view(value));
  } else if constexpr (DescribedEnum<T>) {
    writer.value(enum_name(value));
  } else if constexpr (internal::IsOptional<T>::value) {
    if (value) {
      json::write(writer, *value);
    } else {
      writer.value(nullptr);
    }
  } else if constexpr (internal::IsVector<T>::value) {
    const Writer::Batch batch(writer);
    writer.begin_array();
    for (const typename T::value_type& item : value) json::write(writer, item);
    writer.end_array();
  } else if constexpr (internal::IsStringMap<T>::value) {
    const Writer::Batch batch(writer);
    writer.begin_object();
    for (const auto& [key, item] : value) {
      writer.key(key);
      json::write(writer, item);
    }
    writer.end_object();
  } else if constexpr (DescribedStruct<T>) {
    internal::write_struct(writer, value);
  } else {
    static_assert(internal::kAlwaysFalse<T>,
                  "describe the type (BOOST_DESCRIBE_STRUCT) or give it write_json()");
  }
}

/// Reads one value; faults go to `errors` and leave the faulty part as it was.
template <class T>
void read(Value value, T& out, FieldErrors& errors) {
  if constexpr (internal::IsRequired<T>::value) {
    out.given = true;
    json::read(value, out.value, errors);
  } else if constexpr (HasReadJson<T>) {
    read_json(value, out, errors);
  } else if constexpr (std::is_same_v<T, bool>) {
    internal::read_bool(value, out, errors);
  } else if constexpr (std::is_integral_v<T>) {
    internal::read_integer(value, out, errors);
  } else if constexpr (std::is_floating_point_v<T>) {
    double number = 0;
    if (internal::read_double(value, number, errors)) out = static_cast<T>(number);
  } else if constexpr (std::is_same_v<T, std::string>) {
    internal::read_string(value, out, errors);
  } else if constexpr (DescribedEnum<T>) {
    internal::read_enum(value, out, errors);
  } else if constexpr (internal::IsOptional<T>::value) {
    if (value.is_null()) {
      out.reset();
    } else {
      if (!out) out.emplace();
      json::read(value, *out, errors);
    }
  } else if constexpr (internal::IsVector<T>::value) {
    internal::read_vector(value, out, errors);
  } else if constexpr (internal::IsStringMap<T>::value) {
    internal::read_map(value, out, errors);
  } else if constexpr (DescribedStruct<T>) {
    internal::read_struct(value, out, errors);
  } else {
    static_assert(internal::kAlwaysFalse<T>,
                  "describe the type (BOOST_DESCRIBE_STRUCT) or give it read_json()");
  }
}

/// The value as JSON text.
template <class T>
std::string to_string(const T& value) {
  std::string out;
  Writer writer(out);
  json::write(writer, value);
  return out;
}

/// A value from JSON text. Throws Error(kInvalidArgument) with every faulty field.
template <class T>
T from_string(std::string_view text, bool ignore_unknown = false) {
  const Document document = Document::parse(text);
  FieldErrors errors;
  errors.ignore_unknown(ignore_unknown);
  T out{};
  json::read(document.root(), out, errors);
  errors.throw_if_any("the JSON text has invalid fields");
  return out;
}

}  // namespace degu::json
