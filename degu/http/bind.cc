#include <degu/http/bind.h>
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
