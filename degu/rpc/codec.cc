#include <degu/rpc/codec.h>
#include <degu/rpc/internal/base64.h>
#include <degu/rpc/internal/time_text.h>

#include <charconv>
#include <cmath>
#include <limits>

namespace degu::rpc {

void write_json(json::Writer& writer, const Empty&) {
  writer.begin_object();
  writer.end_object();
}

void read_json(json::Value value, Empty&, json::FieldErrors& errors) {
  codec::read_empty_object(value, errors);
}

codec::Text read_text(Empty&, std::string_view, std::string_view, json::FieldErrors&) {
  return codec::Text::kUnknown;
}

void validate(const Empty&, json::FieldErrors&) {}

namespace codec {
namespace {

template <class T>
constexpr const char* integer_fault() {
  if constexpr (std::is_same_v<T, int32_t>)
    return "must be a whole number between -2147483648 and 2147483647";
  if constexpr (std::is_same_v<T, uint32_t>) return "must be a whole number between 0 and 4294967295";
  if constexpr (std::is_same_v<T, int64_t>) return "must be a whole number that fits into 64 bits";
  if constexpr (std::is_same_v<T, uint64_t>)
    return "must be a whole number, not negative, that fits into 64 bits";
}

template <class T>
const char* parse_integer(std::string_view text, T& out) {
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return integer_fault<T>();
  out = number;
  return nullptr;
}

// Numbers, numbers in strings, and 1.0 or 1e3 where they are whole and exact.
template <class T>
const char* read_integer(json::Value value, T& out) {
  if (const auto number = value.int64()) {
    if constexpr (std::is_unsigned_v<T>) {
      if (*number < 0) return integer_fault<T>();
    }
    if constexpr (sizeof(T) < sizeof(int64_t)) {
      if (*number < std::numeric_limits<T>::min() || *number > std::numeric_limits<T>::max())
        return integer_fault<T>();
    }
    out = static_cast<T>(*number);
    return nullptr;
  }
  if (const auto text = value.string()) return parse_integer(*text, out);
  if constexpr (std::is_same_v<T, uint64_t>) {
    if (const auto number = value.uint64()) return out = *number, nullptr;
  }
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const auto real = value.number();
  if (!real || std::trunc(*real) != *real || std::fabs(*real) > kExact) return integer_fault<T>();
  const double low = std::is_unsigned_v<T> ? 0.0 : sizeof(T) == 4 ? -2147483648.0 : -kExact;
  const double high = sizeof(T) == 8 ? kExact : static_cast<double>(std::numeric_limits<T>::max());
  if (*real < low || *real > high) return integer_fault<T>();
  out = static_cast<T>(*real);
  return nullptr;
}

constexpr const char* kNotANumber = "must be a number";

template <class T>
const char* parse_real(std::string_view text, T& out) {
  if (text == "NaN") return out = std::numeric_limits<T>::quiet_NaN(), nullptr;
  if (text == "Infinity") return out = std::numeric_limits<T>::infinity(), nullptr;
  if (text == "-Infinity") return out = -std::numeric_limits<T>::infinity(), nullptr;
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // from_chars knows "inf" and "nan", which ProtoJSON does not; a number out of range is no number of the
  // type.
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) {
    return kNotANumber;
  }
  out = number;
  return nullptr;
}

template <class T>
const char* read_real(json::Value value, T& out) {
  if (const auto text = value.string()) return parse_real(*text, out);
  const auto number = value.number();
  if (!number) return kNotANumber;
  if constexpr (std::is_same_v<T, float>) {
    if (std::fabs(*number) > static_cast<double>(std::numeric_limits<float>::max())) return "is out of range";
  }
  out = static_cast<T>(*number);
  return nullptr;
}

template <class T>
void write_real(json::Writer& writer, T value) {
  if (std::isnan(value)) {
    writer.value("NaN");
  } else if (std::isinf(value)) {
    writer.value(value > 0 ? "Infinity" : "-Infinity");
  } else {
    writer.value(value);
  }
}

constexpr const char* kNotAString = "must be a string";

}  // namespace

const char* read_scalar(json::Value value, bool& out) {
  const auto flag = value.boolean();
  if (!flag) return "must be true or false";
  out = *flag;
  return nullptr;
}

const char* read_scalar(json::Value value, int32_t& out) { return read_integer(value, out); }
const char* read_scalar(json::Value value, int64_t& out) { return read_integer(value, out); }
const char* read_scalar(json::Value value, uint32_t& out) { return read_integer(value, out); }
const char* read_scalar(json::Value value, uint64_t& out) { return read_integer(value, out); }
const char* read_scalar(json::Value value, float& out) { return read_real(value, out); }
const char* read_scalar(json::Value value, double& out) { return read_real(value, out); }

const char* read_scalar(json::Value value, std::string& out) {
  const auto text = value.string();
  if (!text) return kNotAString;
  out.assign(*text);
  return nullptr;
}

const char* read_scalar(json::Value value, Timestamp& out) {
  const auto text = value.string();
  return text ? parse_scalar(*text, out) : "must be a time such as \"2026-03-01T12:00:00Z\"";
}

const char* read_scalar(json::Value value, Duration& out) {
  const auto text = value.string();
  return text ? parse_scalar(*text, out) : "must be a duration such as \"1.5s\"";
}

const char* read_bytes(json::Value value, std::string& out) {
  const auto text = value.string();
  return text ? parse_bytes(*text, out) : "must be a string in base64";
}

const char* parse_scalar(std::string_view text, bool& out) {
  if (text != "true" && text != "false") return "must be true or false";
  out = text == "true";
  return nullptr;
}

const char* parse_scalar(std::string_view text, int32_t& out) { return parse_integer(text, out); }
const char* parse_scalar(std::string_view text, int64_t& out) { return parse_integer(text, out); }
const char* parse_scalar(std::string_view text, uint32_t& out) { return parse_integer(text, out); }
const char* parse_scalar(std::string_view text, uint64_t& out) { return parse_integer(text, out); }
const char* parse_scalar(std::string_view text, float& out) { return parse_real(text, out); }
const char* parse_scalar(std::string_view text, double& out) { return parse_real(text, out); }

const char* parse_scalar(std::string_view text, std::string& out) {
  out.assign(text);
  return nullptr;
}

const char* parse_scalar(std::string_view text, Timestamp& out) {
  const auto time = internal::parse_timestamp(text);
  if (!time) return "must be a time such as \"2026-03-01T12:00:00Z\"";
  out = *time;
  return nullptr;
}

const char* parse_scalar(std::string_view text, Duration& out) {
  const auto duration = internal::parse_duration(text);
  if (!duration) return "must be a duration such as \"1.5s\"";
  out = *duration;
  return nullptr;
}

const char* parse_bytes(std::string_view text, std::string& out) {
  auto bytes = internal::decode_base64(text);
  if (!bytes) return "must be a string in base64";
  out = std::move(*bytes);
  return nullptr;
}

void write_scalar(json::Writer& writer, double value) { write_real(writer, value); }
void write_scalar(json::Writer& writer, float value) { write_real(writer, value); }
void write_scalar(json::Writer& writer, Timestamp value) {
  writer.value(std::string_view(internal::format_timestamp(value)));
}
void write_scalar(json::Writer& writer, Duration value) {
  writer.value(std::string_view(internal::format_duration(value)));
}
void write_bytes(json::Writer& writer, std::string_view value) {
  writer.value(internal::encode_base64(value));
}

void read_empty_object(json::Value value, json::FieldErrors& errors) {
  if (!internal::expect(value, json::Type::kObject, errors)) return;
  value.each_member([&](std::string_view key, json::Value) {
    if (!errors.ignores_unknown()) errors.add(key, "is not a known field");
  });
}

namespace internal {

bool expect(json::Value value, json::Type type, json::FieldErrors& errors) {
  if (value.type() == type) return true;
  errors.add({}, type == json::Type::kArray ? "must be an array" : "must be an object");
  return false;
}

bool enum_text(json::Value value, std::string& out) {
  if (const auto number = value.int64()) {
    out = std::to_string(*number);
    return true;
  }
  const auto text = value.string();
  const bool is_name =
      text && !text->empty() && text->front() != '-' && (text->front() < '0' || text->front() > '9');
  if (is_name) out.assign(*text);
  return is_name;
}

}  // namespace internal
}  // namespace codec
}  // namespace degu::rpc
