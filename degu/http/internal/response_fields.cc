#include <degu/http/internal/response_fields.h>

namespace degu::http::internal {

std::string_view find_field(std::string_view fields, std::string_view name) noexcept {
  std::string_view found;
  bool first = true;
  each_field(fields, name, [&](std::string_view value) {
    if (first) found = value;
    first = false;
  });
  return found;
}

bool has_field(std::string_view fields, std::string_view name) noexcept {
  bool found = false;
  each_field(fields, name, [&](std::string_view) { found = true; });
  return found;
}

void append_field(std::string& fields, std::string_view name, std::string_view value) {
  fields.append(name).append(": ").append(value).append("\r\n");
}

void remove_field(std::string& fields, std::string_view name) {
  std::size_t at = 0;
  while (at < fields.size()) {
    const std::size_t end = fields.find('\n', at) + 1;
    const std::string_view line = std::string_view(fields).substr(at, end - at);
    if (equals_ignoring_case(line.substr(0, line.find(':')), name)) {
      fields.erase(at, end - at);
    } else {
      at = end;
    }
  }
}

void add_vary(std::string& fields, std::string_view name) {
  std::string list;
  bool there = false;
  each_field(fields, "vary", [&](std::string_view value) {
    each_list_element(value, [&](std::string_view element) {
      there = there || element == "*" || equals_ignoring_case(element, name);
      if (!list.empty()) list += ", ";
      list += element;
    });
  });
  if (there) return;
  if (!list.empty()) {
    remove_field(fields, "vary");
    list += ", ";
  }
  append_field(fields, "Vary", list.append(name));
}

}  // namespace degu::http::internal
