// What both ends of a WebSocket's opening handshake share (RFC 6455 section 4).
#pragma once

#include <string>
#include <string_view>

namespace degu::http::internal {

inline constexpr std::string_view kWebSocketVersion = "13";

/// Sec-WebSocket-Accept for a Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);

/// Throws Error(kInvalidArgument) unless it is a token.
void check_subprotocol(std::string_view name);

}  // namespace degu::http::internal
