#include <degu/base/error.h>

#include <array>
#include <utility>

namespace degu {
namespace {

struct Row {
  std::string_view name;
  int http;
};

constexpr std::array<Row, 17> kRows{{
    {"OK", 200},
    {"CANCELLED", 499},
    {"UNKNOWN", 500},
    {"INVALID_ARGUMENT", 400},
    {"DEADLINE_EXCEEDED", 504},
    {"NOT_FOUND", 404},
    {"ALREADY_EXISTS", 409},
    {"PERMISSION_DENIED", 403},
    {"RESOURCE_EXHAUSTED", 429},
    {"FAILED_PRECONDITION", 409},
    {"ABORTED", 409},
    {"OUT_OF_RANGE", 400},
    {"UNIMPLEMENTED", 501},
    {"INTERNAL", 500},
    {"UNAVAILABLE", 503},
    {"DATA_LOSS", 500},
    {"UNAUTHENTICATED", 401},
}};

const Row& row(Code code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  return index < kRows.size() ? kRows[index] : kRows[static_cast<std::size_t>(Code::kUnknown)];
}

}  // namespace

std::string_view to_string(Code code) noexcept { return row(code).name; }

int http_status(Code code) noexcept { return row(code).http; }

Error::Error(Code code, std::string message, std::vector<ErrorDetail> details)
    : code_(code), message_(std::move(message)), details_(std::move(details)) {
  what_ = to_string(code_);
  what_ += ": ";
  what_ += message_;
}

Error&& Error::with_cause(std::exception_ptr cause) && noexcept {
  cause_ = std::move(cause);
  return std::move(*this);
}

}  // namespace degu
