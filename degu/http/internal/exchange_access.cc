#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>

namespace degu::http::internal {

CountedField counted_field(const Exchange& exchange, std::string_view name) noexcept {
  const RequestHead& head = *ExchangeAccess::state(exchange).head;
  CountedField found;
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    if (!equals_ignoring_case(head.field_name(i), name)) continue;
    if (found.count++ == 0) found.value = head.field_value(i);
  }
  return found;
}

}  // namespace degu::http::internal
