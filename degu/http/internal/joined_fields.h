// joined_fields: a field that came in several lines.
#pragma once

#include <degu/http/request_parser.h>

#include <string>
#include <string_view>

namespace degu::http::internal {

/// The value of a list-based field: those of all fields of that name, joined by commas (RFC 9110 section 5.3); "" when
/// there is none. A single one is not copied; several are put into `storage`.
std::string_view joined_fields(const RequestHead& head, std::string_view name, std::string& storage);

}  // namespace degu::http::internal
