#include <degu/rpc/validation.h>

#include <string>

namespace degu::rpc::validation {
namespace {

struct Unit {
  const char* one;
  const char* many;
};

void check_length(size_t length, size_t min, size_t max, Unit unit, std::string_view path,
                  json::FieldErrors& errors) {
  const auto counted = [&](size_t count) {
    return std::to_string(count) + ' ' + (count == 1 ? unit.one : unit.many);
  };
  if (length < min) report(errors, path, "must have at least " + counted(min));
  if (length > max) report(errors, path, "must have at most " + counted(max));
}

size_t code_points(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

}  // namespace

void report(json::FieldErrors& errors, std::string_view path, std::string_view reason) {
  if (!errors.has(path)) errors.add(path, std::string(reason));
}

void check_characters(std::string_view text, size_t min, size_t max, std::string_view path,
                      json::FieldErrors& errors) {
  if (text.size() <= max && text.size() >= min * 4) return;  // whatever it is made of
  check_length(code_points(text), min, max, {"character", "characters"}, path, errors);
}

void check_bytes(std::string_view bytes, size_t min, size_t max, std::string_view path,
                 json::FieldErrors& errors) {
  check_length(bytes.size(), min, max, {"byte", "bytes"}, path, errors);
}

void check_size(size_t size, size_t min, size_t max, std::string_view path, json::FieldErrors& errors) {
  check_length(size, min, max, {"entry", "entries"}, path, errors);
}

void check_pattern(std::string_view text, const Pattern& pattern, std::string_view path,
                   std::string_view reason, json::FieldErrors& errors) {
  if (!text.empty() && !pattern.matches(text)) report(errors, path, reason);
}

}  // namespace degu::rpc::validation
