// Text to values: how path and query parameters become the members of a struct (Exchange::bind); small
// validators.
#pragma once

#include <degu/http/json_codec.h>

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

namespace degu::http {

/// For `validate(const T&, json::FieldErrors&)` functions. Each adds at most one fault for its field, and
/// none when the field has one already.
void require(json::FieldErrors& errors, std::string_view field, bool present);
/// Length in characters (code points), min..max.
void check_length(json::FieldErrors& errors, std::string_view field, std::string_view text, std::size_t min,
                  std::size_t max);
void check_range(json::FieldErrors& errors, std::string_view field, int64_t number, int64_t min, int64_t max);

namespace internal {

template <class T>
concept TextScalar = std::is_arithmetic_v<T> || std::is_same_v<T, std::string> || json::DescribedEnum<T>;

template <class T>
struct IsTextTarget : std::bool_constant<TextScalar<T>> {};
template <class T>
struct IsTextTarget<std::optional<T>> : std::bool_constant<TextScalar<T>> {};
template <class T>
struct IsTextTarget<std::vector<T>> : std::bool_constant<TextScalar<T>> {};
/// What a path or query parameter can fill; repeated parameters fill a vector.
template <class T>
concept FromTexts = IsTextTarget<T>::value;

bool text_to_bool(std::string_view text, bool& out, json::FieldErrors& errors);
bool text_to_signed(std::string_view text, int64_t min, int64_t max, int64_t& out, json::FieldErrors& errors);
bool text_to_unsigned(std::string_view text, uint64_t max, uint64_t& out, json::FieldErrors& errors);
bool text_to_double(std::string_view text, double& out, json::FieldErrors& errors);

template <TextScalar T>
void read_text(std::string_view text, T& out, json::FieldErrors& errors) {
  if constexpr (std::is_same_v<T, std::string>) {
    out.assign(text);
  } else if constexpr (std::is_same_v<T, bool>) {
    text_to_bool(text, out, errors);
  } else if constexpr (std::is_floating_point_v<T>) {
    double number = 0;
    if (text_to_double(text, number, errors)) out = static_cast<T>(number);
  } else if constexpr (std::is_enum_v<T>) {
    const auto found = json::enum_value<T>(text);
    if (!found) return errors.add("", "is not one of the allowed names");
    out = *found;
  } else if constexpr (std::is_signed_v<T>) {
    int64_t number = 0;
    if (text_to_signed(text, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), number, errors)) {
      out = static_cast<T>(number);
    }
  } else {
    uint64_t number = 0;
    if (text_to_unsigned(text, std::numeric_limits<T>::max(), number, errors)) out = static_cast<T>(number);
  }
}

template <TextScalar T>
void read_texts(std::span<const std::string_view> texts, T& out, json::FieldErrors& errors) {
  if (texts.size() > 1) return errors.add("", "is given more than once");
  read_text(texts.front(), out, errors);
}

template <TextScalar T>
void read_texts(std::span<const std::string_view> texts, std::optional<T>& out, json::FieldErrors& errors) {
  T value{};
  read_texts(texts, value, errors);
  out = std::move(value);
}

template <TextScalar T>
void read_texts(std::span<const std::string_view> texts, std::vector<T>& out, json::FieldErrors& errors) {
  out.clear();
  for (const std::string_view text : texts) {
    json::FieldErrors::Scope scope(errors, out.size());
    T item{};
    read_text(text, item, errors);
    out.push_back(std::move(item));
  }
}

}  // namespace internal
}  // namespace degu::http
