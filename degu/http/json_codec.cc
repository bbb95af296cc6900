#include <degu/http/json_codec.h>
#include <fmt/format.h>

namespace degu::json {
namespace {

constexpr std::size_t kMaxDetails = 100;

std::string wanted(std::string_view what, Value value) {
  return fmt::format("must be {}, not {}", what, to_string(value.type()));
}

}  // namespace

void FieldErrors::add(std::string_view path, std::string reason) {
  if (details_.size() >= kMaxDetails) return;
  std::string full = path_;
  if (!full.empty() && !path.empty() && path.front() != '[') full += '.';
  full += path;
  details_.push_back({std::move(full), std::move(reason)});
}

bool FieldErrors::has(std::string_view path) const noexcept {
  for (const ErrorDetail& detail : details_) {
    const std::string_view field = detail.field;
    if (field.size() != path_.size() + (path_.empty() ? 0 : 1) + path.size()) continue;
    if (field.starts_with(path_) && field.ends_with(path)) return true;
  }
  return false;
}

void FieldErrors::throw_if_any(std::string_view message) {
  if (!details_.empty()) throw Error(Code::kInvalidArgument, std::string(message), std::move(details_));
}

void FieldErrors::push(std::string_view member) {
  constexpr std::size_t kMaxShown = 64;
  lengths_.push_back(path_.size());
  if (!path_.empty()) path_ += '.';
  path_ += member.substr(0, kMaxShown);
}

void FieldErrors::push(std::size_t index) {
  lengths_.push_back(path_.size());
  path_ += '[';
  path_ += std::to_string(index);
  path_ += ']';
}

void FieldErrors::pop() noexcept {
  path_.resize(lengths_.back());
  lengths_.pop_back();
}

namespace internal {

bool check_type(Value value, Type type, FieldErrors& errors) {
  if (value.type() == type) return true;
  const std::string_view article = type == Type::kArray || type == Type::kObject ? "an" : "a";
  errors.add("", wanted(fmt::format("{} {}", article, to_string(type)), value));
  return false;
}

bool read_bool(Value value, bool& out, FieldErrors& errors) {
  if (!check_type(value, Type::kBool, errors)) return false;
  out = value.boolean().value_or(false);
  return true;
}

bool read_signed(Value value, int64_t min, int64_t max, int64_t& out, FieldErrors& errors) {
  const auto number = value.int64();
  if (number && *number >= min && *number <= max) {
    out = *number;
    return true;
  }
  if (number || value.uint64()) {
    errors.add("", fmt::format("must be from {} to {}", min, max));
  } else {
    errors.add("", value.type() == Type::kNumber ? "must be a whole number" : wanted("a number", value));
  }
  return false;
}

bool read_unsigned(Value value, uint64_t max, uint64_t& out, FieldErrors& errors) {
  const auto number = value.uint64();
  if (number && *number <= max) {
    out = *number;
    return true;
  }
  if (number || value.int64()) {
    errors.add("", fmt::format("must be from 0 to {}", max));
  } else {
    errors.add("", value.type() == Type::kNumber ? "must be a whole number" : wanted("a number", value));
  }
  return false;
}

bool read_double(Value value, double& out, FieldErrors& errors) {
  if (!check_type(value, Type::kNumber, errors)) return false;
  out = value.number().value_or(0);
  return true;
}

bool read_string(Value value, std::string& out, FieldErrors& errors) {
  if (!check_type(value, Type::kString, errors)) return false;
  out.assign(value.string().value_or(std::string_view()));
  return true;
}

void unknown_member(std::string_view key, FieldErrors& errors) {
  if (errors.ignores_unknown()) return;
  FieldErrors::Scope scope(errors, key);
  errors.add("", "is not a known field");
}

}  // namespace internal
}  // namespace degu::json
