#include <degu/http/internal/fields.h>
#include <degu/http/internal/media_type.h>

#include <utility>

namespace degu::http::internal {
namespace {

constexpr std::size_t kMaxParameters = 16;

// Takes the value that `left` starts with; false when there is none.
bool take_value(std::string_view& left, std::string& value) {
  if (left.empty() || left.front() != '"') {
    std::size_t end = 0;
    while (end < left.size() && is_token_char(left[end])) ++end;
    value = left.substr(0, end);
    left.remove_prefix(end);
    return end > 0;
  }
  for (std::size_t i = 1; i < left.size(); ++i) {
    if (left[i] == '"') {
      left.remove_prefix(i + 1);
      return is_field_value(value);
    }
    if (left[i] == '\\') {
      ++i;
      if (i == left.size() || (left[i] != '"' && left[i] != '\\')) return false;
    }
    value.push_back(left[i]);
  }
  return false;
}

}  // namespace

std::optional<std::vector<Parameter>> parse_parameters(std::string_view text) {
  std::vector<Parameter> parameters;
  std::string_view left = trim(text);
  while (!left.empty()) {
    if (left.front() != ';') return std::nullopt;
    left.remove_prefix(1);
    left = trim(left);
    if (left.empty() || left.front() == ';') continue;  // RFC 9110 lets parameters be empty
    const std::size_t equals = left.find('=');
    Parameter parameter{left.substr(0, equals), {}};
    if (equals == std::string_view::npos || !is_token(parameter.name)) return std::nullopt;
    left.remove_prefix(equals + 1);
    if (!take_value(left, parameter.value)) return std::nullopt;
    left = trim(left);
    if (find_parameter(parameters, parameter.name) != nullptr || parameters.size() == kMaxParameters) {
      return std::nullopt;
    }
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

const std::string* find_parameter(const std::vector<Parameter>& parameters, std::string_view name) noexcept {
  for (const Parameter& parameter : parameters) {
    if (equals_ignoring_case(parameter.name, name)) return &parameter.value;
  }
  return nullptr;
}

std::optional<MediaType> parse_media_type(std::string_view text) noexcept {
  const std::size_t semicolon = text.find(';');
  const std::string_view essence = trim(text.substr(0, semicolon));
  const std::size_t slash = essence.find('/');
  if (slash == std::string_view::npos || !is_token(essence.substr(0, slash)) ||
      !is_token(essence.substr(slash + 1))) {
    return std::nullopt;
  }
  return MediaType{essence,
                   semicolon == std::string_view::npos ? std::string_view() : text.substr(semicolon)};
}

bool is_json_type(std::string_view content_type) noexcept {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  constexpr std::string_view kSuffix = "+json";
  return equals_ignoring_case(type, "application/json") ||
         (type.size() > kSuffix.size() &&
          equals_ignoring_case(type.substr(type.size() - kSuffix.size()), kSuffix));
}

}  // namespace degu::http::internal
