#include <degu/http/bind.h>
#include <degu/http/exchange.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/media_type.h>
#include <degu/http/internal/utf8.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace degu::http {

void require(json::FieldErrors& errors, std::string_view field, bool present) {
  if (!present && !errors.has(field)) errors.add(field, "is required");
}

void check_length(json::FieldErrors& errors, std::string_view field, std::string_view text, std::size_t min,
                  std::size_t max) {
  const std::size_t length = internal::utf8_length(text);
  if ((length >= min && length <= max) || errors.has(field)) return;
  errors.add(field,
             length == 0 && min > 0 ? "is required" : fmt::format("must have {} to {} characters", min, max));
}

void check_range(json::FieldErrors& errors, std::string_view field, int64_t number, int64_t min,
                 int64_t max) {
  if ((number >= min && number <= max) || errors.has(field)) return;
  errors.add(field, fmt::format("must be from {} to {}", min, max));
}

namespace internal {
namespace {

// The whole text must be the number: no sign '+', no white space, no suffix.
template <class T>
std::errc parse_whole(std::string_view text, T& out) noexcept {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, out);
  if (result.ec != std::errc()) return result.ec;
  return result.ptr == end ? std::errc() : std::errc::invalid_argument;
}

}  // namespace

BindSource::BindSource(const Exchange& c, bool body_is_taken) : c_(c), body_is_taken_(body_is_taken) {
  if (c.body().empty() || body_is_taken) return;
  const std::string_view type = c.header("content-type");
  if (type.empty() || is_json_type(type)) return;
  const auto media = parse_media_type(type);
  is_form_ = media && (equals_ignoring_case(media->essence, "application/x-www-form-urlencoded") ||
                       equals_ignoring_case(media->essence, "multipart/form-data"));
  if (!is_form_) throw HttpError(415, Code::kInvalidArgument, "the body must be application/json or a form");
}

std::optional<json::Value> BindSource::json() const {
  return is_form_ || body_is_taken_ ? std::nullopt : c_.json_body();
}

std::vector<std::string_view> BindSource::texts(std::string_view name, bool skip_empty) const {
  std::vector<std::string_view> texts;
  if (const auto param = c_.find_param(name)) {
    texts.push_back(*param);
    return texts;
  }
  for (const Param& param : c_.query_params()) {
    if (param.name == name) texts.push_back(param.value);
  }
  if (!texts.empty() || !is_form_) return texts;
  for (const Param& param : c_.form_params()) {
    if (param.name == name && !(skip_empty && param.value.empty())) texts.push_back(param.value);
  }
  return texts;
}

std::vector<std::string_view> BindSource::header(std::string_view name, bool as_list,
                                                 json::FieldErrors& errors) const {
  std::vector<std::string_view> values;
  for (const std::string_view value : c_.header_values(name)) {
    if (!is_utf8(value)) {
      errors.add(name, "is not valid UTF-8");
    } else if (as_list) {
      each_list_element(value, [&](std::string_view element) { values.push_back(element); });
    } else {
      values.push_back(value);
    }
  }
  return values;
}

std::vector<std::string_view> BindSource::cookie(std::string_view name) const {
  std::vector<std::string_view> values;
  if (const auto value = c_.find_cookie(name)) values.push_back(*value);
  return values;
}

std::vector<UploadedFile> BindSource::files(std::string_view name) const {
  std::vector<UploadedFile> files;
  if (!is_form_) return files;
  for (const UploadedPart& part : c_.form_files()) {
    if (part.name != name) continue;
    files.push_back({std::string(part.filename), std::string(part.content_type), std::string(part.content)});
  }
  return files;
}

void BindSource::check_form(json::FieldErrors& errors, void* context,
                            Takes (*takes)(void*, std::string_view)) const {
  if (!is_form_) return;
  for (const Param& field : c_.form_params()) {
    const Takes wanted = takes(context, field.name);
    if (wanted == Takes::kNothing) json::internal::unknown_member(field.name, errors);
    if (wanted == Takes::kFile) errors.add(field.name, "must be a file");
  }
  for (const UploadedPart& file : c_.form_files()) {
    const Takes wanted = takes(context, file.name);
    if (wanted == Takes::kNothing) json::internal::unknown_member(file.name, errors);
    if (wanted == Takes::kText) errors.add(file.name, "must be text, not a file");
  }
}

bool text_to_bool(std::string_view text, bool& out, json::FieldErrors& errors) {
  if (text == "true" || text == "1") {
    out = true;
  } else if (text == "false" || text == "0") {
    out = false;
  } else {
    errors.add("", "must be true or false");
    return false;
  }
  return true;
}

bool text_to_signed(std::string_view text, int64_t min, int64_t max, int64_t& out,
                    json::FieldErrors& errors) {
  int64_t number = 0;
  const std::errc error = parse_whole(text, number);
  if (error == std::errc::invalid_argument) {
    errors.add("", "must be a whole number");
    return false;
  }
  if (error != std::errc() || number < min || number > max) {
    errors.add("", fmt::format("must be from {} to {}", min, max));
    return false;
  }
  out = number;
  return true;
}

bool text_to_unsigned(std::string_view text, uint64_t max, uint64_t& out, json::FieldErrors& errors) {
  uint64_t number = 0;
  const std::errc error = parse_whole(text, number);
  int64_t negative = 0;
  if (error == std::errc::invalid_argument && parse_whole(text, negative) != std::errc()) {
    errors.add("", "must be a whole number");
    return false;
  }
  if (error != std::errc() || number > max) {
    errors.add("", fmt::format("must be from 0 to {}", max));
    return false;
  }
  out = number;
  return true;
}

bool text_to_double(std::string_view text, double& out, json::FieldErrors& errors) {
  double number = 0;
  if (parse_whole(text, number) != std::errc() || !std::isfinite(number)) {
    errors.add("", "must be a number");
    return false;
  }
  out = number;
  return true;
}

}  // namespace internal
}  // namespace degu::http
