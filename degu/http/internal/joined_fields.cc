#include <degu/http/internal/fields.h>
#include <degu/http/internal/joined_fields.h>

namespace degu::http::internal {

std::string_view joined_fields(const RequestHead& head, std::string_view name, std::string& storage) {
  std::string_view first;
  std::size_t count = 0;
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    if (!equals_ignoring_case(head.field_name(i), name)) continue;
    if (count++ == 0) {
      first = head.field_value(i);
      continue;
    }
    if (count == 2) storage = first;
    storage.append(", ").append(head.field_value(i));
  }
  return count > 1 ? std::string_view(storage) : first;
}

}  // namespace degu::http::internal
