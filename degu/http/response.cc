#include <degu/http/client.h>
#include <degu/http/internal/fields.h>

namespace degu::http {

std::string_view Response::header(std::string_view name) const noexcept {
  for (const auto& [field, value] : headers) {
    if (internal::equals_ignoring_case(field, name)) return value;
  }
  return {};
}

}  // namespace degu::http
