// WebSocket: messages in both directions over one connection (RFC 6455) or stream of HTTP/2 (RFC 8441), and how a handler turns a request into one.
#pragma once

#include <degu/base/function.h>
#include <degu/http/websocket_limits.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http {

class Exchange;

namespace internal {
class WebSocketCore;
}

struct Message {
  bool text = true;  ///< UTF-8; false: any bytes
  std::string data;
};

/// One goroutine reads, any number of goroutines write; they must have ended before the object goes. Somebody has to be in
/// recv() most of the time: pings and the other end's Close are answered there. Every wait ends with the caller's context;
/// a write that is cut short so ends the connection.
class WebSocket {
 public:
  explicit WebSocket(std::unique_ptr<internal::WebSocketCore> core) noexcept;
  WebSocket(WebSocket&&) noexcept;
  WebSocket& operator=(WebSocket&&) = delete;
  /// Sends a Close, 1001, if none was sent; waits for no answer.
  ~WebSocket();

  /// The next whole message. Nothing when there will be none: the other end has closed, broke the rules or a limit, or is
  /// gone; close_code() says which. Throws Cancelled or DeadlineExceeded when the current context ends.
  std::optional<Message> recv();

  /// Sends a message in one frame; waits while the other end does not read. Throws Error(kInvalidArgument) for a text that
  /// is no UTF-8, Error(kUnavailable) when a Close was sent or the connection is lost or takes nothing for the write
  /// timeout, Cancelled or DeadlineExceeded by the context.
  void send(const Message& message);
  void send_text(std::string_view text);
  void send_binary(std::string_view bytes);
  /// Asks for a sign of life, beside those that ping_interval asks for; the answer is not seen. At most 125 bytes. Throws
  /// as send().
  void ping(std::string_view payload = {});
  /// Says goodbye, once; further calls do nothing. recv() gives what was on its way, then nothing once the other end has
  /// answered or close_timeout is over. `code` 1000 to 1014 but for 1004 to 1006, or 3000 to 4999; `reason` UTF-8 of at
  /// most 123 bytes; else throws Error(kInvalidArgument). A connection that is lost is no error.
  void close(int code = 1000, std::string_view reason = {});

  /// What the other end said in its Close; 1005 if it named no code. 1002, 1003, 1007, 1008, 1009: it was told so, for what
  /// it sent. 1006: it is gone without a word. 0: not closed yet.
  int close_code() const noexcept;
  const std::string& close_reason() const noexcept;
  /// What was agreed on; empty: none.
  const std::string& subprotocol() const noexcept;

 private:
  std::unique_ptr<internal::WebSocketCore> core_;
};

struct WebSocketOptions {
  /// Pages of which other origins may connect, as "https://shop.example". A browser sends cookies along whatever page
  /// connects, so by default only those of the request's own host may (cross-site WebSocket hijacking). Clients that send
  /// no Origin are no browsers.
  std::vector<std::string> origins = {};
  bool any_origin = false;  ///< for services that trust no cookies
  /// Ours, best first. The first that the client knows too is chosen; none in common: none.
  std::vector<std::string> subprotocols = {};
  WebSocketLimits limits = {};
};

/// Answers 101 and runs `handler` in the calling goroutine, then closes: 1000 when it returned, 1001 when a shutdown or the
/// client ended its context, 1011 when it threw, which goes on to the caller. When the server begins to shut down the
/// client is told 1001 and has close_timeout to answer: recv() then gives nothing. Call it last in the handler of a GET
/// route that is long_lived (RouteOptions). What the chain has set as headers goes along.
///
/// The same route serves HTTP/2, by extended CONNECT (RFC 8441): it is answered 200, and the WebSocket is one stream of the
/// connection, in the place of one of its requests. The chain sees a GET, as over HTTP/1.1; if it answers such a request by a
/// 2xx instead of calling this, the client gets 501.
///
///   router.get("/echo", [](degu::http::Exchange& c) {
///     degu::http::websocket(c, {}, [](degu::http::WebSocket& socket) {
///       while (auto message = socket.recv()) socket.send(*message);
///     });
///   }, {.long_lived = true});
///
/// Throws before anything is sent: HttpError(426) when the request asks for no WebSocket or for another version; 405, 400 and
/// 403 for another method, a malformed handshake and a foreign origin. Error(kInvalidArgument) for origins and subprotocols
/// that are none.
void websocket(Exchange& exchange, const WebSocketOptions& options, UniqueFunction<void(WebSocket&)> handler);

}  // namespace degu::http
