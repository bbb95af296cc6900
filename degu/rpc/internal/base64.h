// Base64 (RFC 4648) of protobuf's bytes in JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace degu::rpc::codec::internal {

/// Standard alphabet with padding.
std::string encode_base64(std::string_view bytes);

/// Standard and URL-safe alphabet, padded or not, as ProtoJSON asks. Nothing for other characters, misplaced
/// padding, a length that no bytes give, or leftover bits that are not zero.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace degu::rpc::codec::internal
