// connect_websocket: the client's end of a WebSocket.
#pragma once

#include <degu/http/websocket.h>
#include <degu/net/tls_options.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http {

struct WebSocketClientOptions {
  std::vector<std::pair<std::string, std::string>> headers =
      {};                                      ///< of the handshake, e.g. Authorization, Origin
  std::vector<std::string> subprotocols = {};  ///< best first
  WebSocketLimits limits = {};
  net::TlsClientOptions tls = {};  ///< for wss; the files are read, which blocks
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(10);  ///< with connecting
  std::size_t max_header_bytes = 64 * 1024;
};

/// Connects to "ws://host[:port]/path?query" or "wss://...". Pings and the idle timeout of the limits work as at a server,
/// in the context of this call, which has to last as long as the WebSocket. Follows no redirects.
///
///   auto socket = degu::http::connect_websocket("ws://127.0.0.1:8080/echo");
///   socket.send_text("hello");
///   auto answer = socket.recv();
///   socket.close();
///   while (socket.recv()) {}  // until the server has closed too
///
/// Throws Error: kInvalidArgument for a bad URL, header, subprotocol or file, kUnavailable when the server cannot be reached,
/// is not who the URL says, breaks off or answers 5xx, kFailedPrecondition when it answers anything else but 101,
/// kInternal for a handshake that breaks RFC 6455; DeadlineExceeded and Cancelled.
WebSocket connect_websocket(std::string_view url, const WebSocketClientOptions& options = {});

}  // namespace degu::http
