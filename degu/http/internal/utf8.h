// UTF-8 by RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace degu::http::internal {

/// Length of the valid sequence that `text` starts with; 0 if it starts with none.
std::size_t utf8_sequence(std::string_view text) noexcept;

bool is_utf8(std::string_view text) noexcept;

/// Number of code points; of bytes where the text is not valid.
std::size_t utf8_length(std::string_view text) noexcept;

}  // namespace degu::http::internal
