// json::SchemaSet: JSON Schema of C++ types, by the description that reads and writes them.
#pragma once

#include <degu/http/json_codec.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace degu::json {

/// A type with functions of its own to read and write it has no schema ({} says nothing) unless there is also
/// `write_schema(Writer&, const T*)`, found by argument-dependent lookup, which writes one value; the pointer is null.
template <class T>
concept HasWriteSchema = requires(Writer& writer, const T* type) {
  write_schema(writer, type);
};

/// What a schema is of: texts that json::read takes, or texts that json::write makes. They differ: read insists on
/// Required members only and refuses unknown ones, write gives all but empty optionals.
enum class SchemaUse : uint8_t { kRead, kWrite };

class SchemaSet;

/// A type that describes itself as a struct does, but by a function of its own (generated messages have one): the
/// function writes the schema of an object, which gets a name and is referred to. Found by argument-dependent lookup;
/// the pointer is null.
template <class T>
concept HasWriteObjectSchema = requires(SchemaSet& schemas, Writer& writer, SchemaUse use, const T* type) {
  write_object_schema(schemas, writer, use, type);
};

namespace internal {

/// "degu::http::Search" as the compiler spells it.
template <class T>
constexpr std::string_view type_name() noexcept {
  const std::string_view text = __PRETTY_FUNCTION__;
  const std::string_view from = text.substr(text.find("T = ") + 4);
  return from.substr(0, std::min(from.find(';'), from.rfind(']')));
}

template <class T>
inline char type_tag = 0;  // its address names the type

void write_type(Writer& writer, std::string_view type);
void write_integer(Writer& writer, int64_t min, uint64_t max);

}  // namespace internal

/// Writes JSON Schemas (draft 2020-12) and collects those of structs, which are written once, under a name, and
/// referred to; so recursive types are fine. A name is the type's own without its namespaces; types of the same name
/// get "_2" ..., and a type that is both read and written has its read schema under "<name>Input". Which of these apply
/// is known only when everything has been seen: write all, settle(), and write all again. The order of first use
/// decides, so the outcome is deterministic. Not thread-safe.
class SchemaSet {
 public:
  /// `prefix` comes before a name in references: "#/components/schemas/". Names in `reserved` are left to others.
  SchemaSet(std::string prefix, std::vector<std::string> reserved);

  /// The schema of T, or a reference to it.
  template <class T>
  void write(Writer& writer, SchemaUse use);

  /// Gives the final names to what has been written, and forgets the texts.
  void settle();

  /// The texts of the structs by their names.
  std::map<std::string, std::string> components() const;

 private:
  struct Known {
    const void* tag;
    std::string short_name;
    bool used[2] = {false, false};  // by SchemaUse
    std::string names[2];
    std::string texts[2];
  };

  using Describe = void (*)(SchemaSet&, Writer&, SchemaUse);
  void write_reference(Writer& writer, SchemaUse use, const void* tag, std::string_view type_name,
                       Describe write_text);
  std::string free_name(const std::string& wanted);

  template <class T>
  static void describe(SchemaSet& set, Writer& writer, SchemaUse use);
  template <class Member>
  static constexpr bool is_required(SchemaUse use) noexcept {
    return use == SchemaUse::kRead ? internal::IsRequired<Member>::value
                                   : !internal::IsOptional<Member>::value;
  }

  const std::string prefix_;
  std::vector<std::string> taken_;
  std::vector<Known> known_;  // in order of first use
};

namespace internal {

// An optional member is one that may be absent; what it holds is said by the type within.
template <class T>
struct MemberType {
  using Type = T;
};
template <class T>
struct MemberType<std::optional<T>> {
  using Type = T;
};

template <class E>
void write_enum_schema(Writer& writer) {
  writer.begin_object();
  writer.key("type");
  writer.value("string");
  writer.key("enum");
  writer.begin_array();
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>(
      [&](auto enumerator) { writer.value(std::string_view(enumerator.name)); });
  writer.end_array();
  writer.end_object();
}

}  // namespace internal

template <class T>
void SchemaSet::describe(SchemaSet& set, Writer& writer, SchemaUse use) {
  std::vector<std::string_view> required;
  writer.begin_object();
  writer.key("type");
  writer.value("object");
  writer.key("properties");
  writer.begin_object();
  internal::each_described<T>([&](std::string_view name, auto pointer) {
    using Member = std::remove_cvref_t<decltype(std::declval<T&>().*pointer)>;
    if constexpr (kInText<Member>) {
      writer.key(name);
      set.write<typename internal::MemberType<Member>::Type>(writer, use);
      if (is_required<Member>(use)) required.push_back(name);
    }
  });
  writer.end_object();
  if (!required.empty()) {
    writer.key("required");
    writer.begin_array();
    for (const std::string_view name : required) writer.value(name);
    writer.end_array();
  }
  if (use == SchemaUse::kRead) {
    writer.key("additionalProperties");
    writer.value(false);
  }
  writer.end_object();
}

template <class T>
void SchemaSet::write(Writer& writer, SchemaUse use) {
  if constexpr (internal::IsRequired<T>::value) {
    write<decltype(T::value)>(writer, use);
  } else if constexpr (HasWriteSchema<T>) {
    write_schema(writer, static_cast<const T*>(nullptr));
  } else if constexpr (HasWriteObjectSchema<T>) {
    write_reference(writer, use, &internal::type_tag<T>, internal::type_name<T>(),
                    [](SchemaSet& set, Writer& text, SchemaUse of) {
                      write_object_schema(set, text, of, static_cast<const T*>(nullptr));
                    });
  } else if constexpr (HasReadJson<T> || HasWriteJson<T>) {
    writer.raw("{}");
  } else if constexpr (std::is_same_v<T, bool>) {
    internal::write_type(writer, "boolean");
  } else if constexpr (std::is_integral_v<T>) {
    internal::write_integer(writer, static_cast<int64_t>(std::numeric_limits<T>::min()),
                            static_cast<uint64_t>(std::numeric_limits<T>::max()));
  } else if constexpr (std::is_floating_point_v<T>) {
    internal::write_type(writer, "number");
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    internal::write_type(writer, "string");
  } else if constexpr (DescribedEnum<T>) {
    internal::write_enum_schema<T>(writer);
  } else if constexpr (internal::IsOptional<T>::value) {
    writer.begin_object();
    writer.key("anyOf");
    writer.begin_array();
    write<typename T::value_type>(writer, use);
    internal::write_type(writer, "null");
    writer.end_array();
    writer.end_object();
  } else if constexpr (internal::IsVector<T>::value) {
    writer.begin_object();
    writer.key("type");
    writer.value("array");
    writer.key("items");
    write<typename T::value_type>(writer, use);
    writer.end_object();
  } else if constexpr (internal::IsStringMap<T>::value) {
    writer.begin_object();
    writer.key("type");
    writer.value("object");
    writer.key("additionalProperties");
    write<typename T::mapped_type>(writer, use);
    writer.end_object();
  } else if constexpr (DescribedStruct<T>) {
    write_reference(writer, use, &internal::type_tag<T>, internal::type_name<T>(), &describe<T>);
  } else {
    static_assert(internal::kAlwaysFalse<T>,
                  "describe the type (BOOST_DESCRIBE_STRUCT) or give it write_schema()");
  }
}

}  // namespace degu::json
