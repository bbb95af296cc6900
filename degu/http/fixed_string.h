// FixedString: a string as a template argument.
#pragma once

#include <cstddef>
#include <string_view>

namespace degu::http {

/// `template <FixedString Name>` takes a literal: FromHeader<int, "X-Page">.
template <std::size_t N>
struct FixedString {
  char text[N]{};

  consteval FixedString(const char (&literal)[N]) {  // implicit: that is its purpose
    for (std::size_t i = 0; i < N; ++i) text[i] = literal[i];
  }
  constexpr std::string_view view() const noexcept { return {text, N - 1}; }
};

}  // namespace degu::http
