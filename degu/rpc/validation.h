// Field rules at run time: what the generated validate() functions are made of.
#pragma once

#include <degu/http/json_reader.h>
#include <degu/rpc/internal/pattern.h>
#include <degu/rpc/message.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace degu::rpc::validation {

inline constexpr size_t kUnlimited = static_cast<size_t>(-1);

/// Adds a fault unless the field has one already: what is no string at all is not missing, too.
void report(json::FieldErrors& errors, std::string_view path, std::string_view reason);

/// Length of UTF-8 text in code points; adds "must have at least 8 characters" and the like.
void check_characters(std::string_view text, size_t min, size_t max, std::string_view path,
                      json::FieldErrors& errors);
void check_bytes(std::string_view bytes, size_t min, size_t max, std::string_view path,
                 json::FieldErrors& errors);
void check_size(size_t size, size_t min, size_t max, std::string_view path, json::FieldErrors& errors);
template <class Container>
void check_entries(const Container& entries, size_t min, size_t max, std::string_view path,
                   json::FieldErrors& errors) {
  check_size(entries.size(), min, max, path, errors);
}

/// Empty text passes: that is for `required` and `min_len`.
void check_pattern(std::string_view text, const Pattern& pattern, std::string_view path,
                   std::string_view reason, json::FieldErrors& errors);

/// Calls check(entry) with the path at each entry of a list.
template <class T, class F>
void each_entry(const std::vector<T>& entries, std::string_view path, json::FieldErrors& errors, F check) {
  json::FieldErrors::Scope field(errors, path);
  for (size_t i = 0; i < entries.size(); ++i) {
    json::FieldErrors::Scope scope(errors, i);
    check(entries[i]);
  }
}

// Messages held by a field.
template <class T>
void check_messages(const std::optional<T>& message, std::string_view path, json::FieldErrors& errors) {
  if (!message) return;
  json::FieldErrors::Scope scope(errors, path);
  validate(*message, errors);
}
template <class T>
void check_messages(const Box<T>& message, std::string_view path, json::FieldErrors& errors) {
  if (!message) return;
  json::FieldErrors::Scope scope(errors, path);
  validate(*message, errors);
}
template <class T>
void check_messages(const std::vector<T>& messages, std::string_view path, json::FieldErrors& errors) {
  each_entry(messages, path, errors, [&](const T& message) { validate(message, errors); });
}
template <class K, class T>
void check_messages(const std::map<K, T>& messages, std::string_view path, json::FieldErrors& errors) {
  json::FieldErrors::Scope field(errors, path);
  for (const auto& [key, message] : messages) {
    std::string name;
    if constexpr (std::is_same_v<K, std::string>) {
      name = key;
    } else if constexpr (std::is_same_v<K, bool>) {
      name = key ? "true" : "false";
    } else {
      name = std::to_string(key);
    }
    json::FieldErrors::Scope scope(errors, std::string_view(name));
    validate(message, errors);
  }
}

}  // namespace degu::rpc::validation
