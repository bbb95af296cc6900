#include <degu/http/client.h>
#include <degu/http/internal/fields.h>

namespace degu::http {
namespace {

std::string_view first_of(const std::vector<std::pair<std::string, std::string>>& headers,
                          std::string_view name) noexcept {
  for (const auto& [field, value] : headers) {
    if (internal::equals_ignoring_case(field, name)) return value;
  }
  return {};
}

}  // namespace

std::string_view Response::header(std::string_view name) const noexcept { return first_of(headers, name); }

std::string_view OpenResponse::header(std::string_view name) const noexcept {
  return first_of(headers, name);
}

}  // namespace degu::http
