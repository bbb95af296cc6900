#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/response_fields.h>

namespace degu::http::internal {
namespace {

// Calls f(name, value) for each line until one returns true.
template <class F>
bool any_field(std::string_view fields, F f) {
  while (!fields.empty()) {
    const std::size_t end = fields.find("\r\n");
    const std::string_view line = fields.substr(0, end);
    const std::size_t colon = line.find(':');
    if (f(line.substr(0, colon), line.substr(colon + 1))) return true;
    fields.remove_prefix(end + 2);
  }
  return false;
}

}  // namespace

bool has_field(std::string_view fields, std::string_view name) noexcept {
  return any_field(
      fields, [&](std::string_view field, std::string_view) { return equals_ignoring_case(field, name); });
}

void add_vary(Exchange& exchange, std::string_view name) {
  const bool there =
      any_field(ExchangeAccess::state(exchange).fields, [&](std::string_view field, std::string_view value) {
        bool found = false;
        if (equals_ignoring_case(field, "vary")) {
          each_list_element(value, [&](std::string_view element) {
            found = found || element == "*" || equals_ignoring_case(element, name);
          });
        }
        return found;
      });
  if (!there) exchange.add_header("Vary", name);
}

}  // namespace degu::http::internal
