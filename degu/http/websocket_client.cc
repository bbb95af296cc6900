#include <degu/base/error.h>
#include <degu/base/random.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/internal/base64.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/response_parser.h>
#include <degu/http/internal/url.h>
#include <degu/http/internal/websocket_core.h>
#include <degu/http/internal/websocket_handshake.h>
#include <degu/http/websocket_client.h>
#include <degu/net/tls.h>
#include <degu/rt/park.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace degu::http {
namespace {

using internal::ResponseHead;
using internal::Url;
using internal::WebSocketCore;

std::string make_key() {
  std::array<std::byte, 16> bytes;
  secure_random(bytes);
  return internal::to_base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

bool is_ours(std::string_view name) noexcept {
  for (const std::string_view ours :
       {"host", "connection", "upgrade", "content-length", "transfer-encoding"}) {
    if (internal::equals_ignoring_case(name, ours)) return true;
  }
  constexpr std::string_view kPrefix = "sec-websocket-";
  return internal::equals_ignoring_case(name.substr(0, kPrefix.size()), kPrefix);
}

std::string make_request(const Url& url, const WebSocketClientOptions& options, std::string_view key) {
  std::string head = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
      "{}\r\n"
      "Sec-WebSocket-Key: {}\r\n",
      url.target, url.authority, internal::kWebSocketVersion, key);
  std::string protocols;
  for (const std::string& name : options.subprotocols) {
    internal::check_subprotocol(name);
    protocols.append(protocols.empty() ? "" : ", ").append(name);
  }
  if (!protocols.empty()) head += fmt::format("Sec-WebSocket-Protocol: {}\r\n", protocols);
  const WebSocketCompression& compression = options.limits.compression;
  if (compression.enabled)
    head += fmt::format("Sec-WebSocket-Extensions: {}\r\n", internal::deflate_offer(compression));
  for (const auto& [name, value] : options.headers) {
    if (!internal::is_token(name) || !internal::is_field_value(value))
      throw Error(Code::kInvalidArgument, "a request header has characters that are not allowed");
    if (is_ours(name)) throw Error(Code::kInvalidArgument, fmt::format("{} is set by the client", name));
    head.append(name).append(": ").append(value).append("\r\n");
  }
  return head += "\r\n";
}

void check(const net::IoResult& result) {
  if (result.error == ECANCELED) rt::throw_interrupted();
  if (result.error != 0)
    throw Error(Code::kUnavailable, fmt::format("the connection broke: {}", std::strerror(result.error)));
}

// Leaves in `input` what comes behind the head.
ResponseHead read_head(net::TcpStream& stream, std::size_t max_bytes, std::string& input) {
  std::array<char, 4096> part;
  std::size_t scanned = 0;
  for (;;) {
    if (auto head = internal::parse_response_head(input, scanned)) {
      input.erase(0, head->bytes);
      return std::move(*head);
    }
    if (input.size() > max_bytes)
      throw Error(Code::kResourceExhausted, "the response's header section is too large");
    const net::IoResult result = stream.read(part);
    check(result);
    if (result.bytes == 0)
      throw Error(Code::kUnavailable, "the server closed the connection in the handshake");
    input.append(part.data(), result.bytes);
  }
}

// All fields of a name as one list; nothing without any.
std::optional<std::string> joined(const ResponseHead& head, std::string_view field) {
  std::optional<std::string> list;
  for (const auto& [name, value] : head.headers) {
    if (!internal::equals_ignoring_case(name, field)) continue;
    list = list ? *list + ", " + value : value;
  }
  return list;
}

bool names(const ResponseHead& head, std::string_view field, std::string_view token) {
  bool found = false;
  internal::each_list_element(joined(head, field).value_or(""), [&](std::string_view element) {
    found = found || internal::equals_ignoring_case(element, token);
  });
  return found;
}

// Section 4.1, from "If the status code received from the server is not 101" on.
void check_answer(const ResponseHead& head, std::string_view key) {
  if (head.status != 101)
    throw Error(head.status >= 500 ? Code::kUnavailable : Code::kFailedPrecondition,
                fmt::format("the server answered {} to the handshake of a WebSocket", head.status));
  if (!names(head, "upgrade", "websocket") || !names(head, "connection", "upgrade"))
    throw Error(Code::kInternal, "the server switched to another protocol than WebSocket");
  if (joined(head, "sec-websocket-accept") != internal::websocket_accept(key))
    throw Error(Code::kInternal, "the server's Sec-WebSocket-Accept is wrong");
}

std::string chosen_subprotocol(const ResponseHead& head, const WebSocketClientOptions& options) {
  const auto chosen = joined(head, "sec-websocket-protocol");
  if (!chosen) return {};
  const auto& offered = options.subprotocols;
  if (std::find(offered.begin(), offered.end(), *chosen) == offered.end())
    throw Error(Code::kInternal, "the server chose a subprotocol that was not offered");
  return *chosen;
}

}  // namespace

WebSocket connect_websocket(std::string_view text, const WebSocketClientOptions& options) {
  const Url url = internal::parse_url(text, "ws");
  const std::string key = make_key();
  const std::string request = make_request(url, options, key);
  internal::WebSocketSetup setup;
  setup.side = internal::WebSocketSide::kClient;
  setup.limits = options.limits;
  net::TcpStream stream;
  {
    const CancelScope scope(options.handshake_timeout);
    stream = net::TcpStream::connect(url.address);
    if (url.secure) {
      stream = net::TlsClient(options.tls).wrap(std::move(stream), url.host);
      net::tls_handshake(stream);
    }
    check(stream.write({request.data(), request.size()}));
    const ResponseHead head = read_head(stream, options.max_header_bytes, setup.input);
    check_answer(head, key);
    setup.subprotocol = chosen_subprotocol(head, options);
    setup.deflate = internal::read_deflate_answer(joined(head, "sec-websocket-extensions").value_or(""),
                                                  options.limits.compression);
  }
  auto core = std::make_unique<WebSocketCore>(std::move(stream), std::move(setup));
  core->start(Context());
  return WebSocket(std::move(core));
}

}  // namespace degu::http
