// Where a JSON text is wrong: simdjson says only that it is.
#pragma once

#include <cstddef>
#include <string_view>

namespace degu::json::internal {

struct Fault {
  std::size_t offset = 0;
  std::string_view what;  // static text; empty when no fault was found
};

/// The first place at which `text` stops being JSON. Looks at structure, literals, numbers' grammar, escapes
/// and control characters; not at UTF-8, duplicate keys or number ranges.
Fault locate_fault(std::string_view text) noexcept;

}  // namespace degu::json::internal
