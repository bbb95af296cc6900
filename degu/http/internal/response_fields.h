// The "Name: value\r\n" lines of a response under construction.
#pragma once

#include <degu/http/exchange.h>

#include <string_view>

namespace degu::http::internal {

bool has_field(std::string_view fields, std::string_view name) noexcept;

/// Names a request field that the answer depends on (RFC 9110 section 12.5.5), unless a Vary field does so already.
void add_vary(Exchange& exchange, std::string_view name);

}  // namespace degu::http::internal
