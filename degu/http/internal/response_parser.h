// parse_response_head: the client's view of a response's head.
#pragma once

#include <degu/http/client.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace degu::http::internal {

struct ResponseHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::size_t bytes = 0;  // of the head
  bool keep_alive = true;
  bool chunked = false;
  std::optional<uint64_t> content_length;  // absent and not chunked: until close
};

/// Nothing while `text` holds no whole head. Throws Error(kInternal) when it is malformed or frames its body
/// in two ways. `scanned` remembers between calls with a growing text how far it was searched.
std::optional<ResponseHead> parse_response_head(std::string_view text, std::size_t& scanned);

}  // namespace degu::http::internal
