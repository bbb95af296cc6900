#include <degu/http/internal/fields.h>
#include <degu/http/internal/media_types.h>

#include <array>

namespace degu::http::internal {
namespace {

std::string_view without_parameters(std::string_view content_type) noexcept {
  return trim(content_type.substr(0, content_type.find(';')));
}

bool matches(std::string_view type, std::string_view pattern) noexcept {
  if (pattern.ends_with("/*")) {
    pattern.remove_suffix(1);
    return equals_ignoring_case(type.substr(0, pattern.size()), pattern);
  }
  if (pattern.starts_with('*')) {
    pattern.remove_prefix(1);
    return type.size() > pattern.size() &&
           equals_ignoring_case(type.substr(type.size() - pattern.size()), pattern);
  }
  return equals_ignoring_case(type, pattern);
}

}  // namespace

bool matches_media_type(std::string_view content_type, std::span<const std::string> patterns) noexcept {
  const std::string_view type = without_parameters(content_type);
  for (const std::string& pattern : patterns) {
    if (matches(type, pattern)) return true;
  }
  return false;
}

std::span<const std::string> compressible_types() {
  static const std::array<std::string, 8> kTypes = {
      "text/*",          "application/json",    "application/javascript",
      "application/xml", "application/wasm",    "*+json",
      "*+xml",           "application/x-ndjson"};
  return kTypes;
}

bool is_event_stream(std::string_view content_type) noexcept {
  return equals_ignoring_case(without_parameters(content_type), "text/event-stream");
}

}  // namespace degu::http::internal
