// The handshake on the server's side, and the object that handlers see. What happens afterwards: internal/websocket_core.cc.
#include <degu/base/error.h>
#include <degu/http/internal/base64.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/origin.h>
#include <degu/http/internal/websocket_core.h>
#include <degu/http/internal/websocket_handshake.h>
#include <degu/http/websocket.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace degu::http {
namespace {

using internal::CountedField;
using internal::ExchangeAccess;
using internal::Switching;
using internal::WebSocketCore;
using internal::WebSocketSetup;

constexpr std::size_t kKeyBytes = 16;

// All fields of a name as one list.
std::string joined(const Exchange& c, std::string_view name) {
  std::string list;
  for (const std::string_view value : c.header_values(name))
    list.append(list.empty() ? "" : ", ").append(value);
  return list;
}

bool names(const Exchange& c, std::string_view field, std::string_view token) {
  bool found = false;
  internal::each_list_element(joined(c, field), [&](std::string_view element) {
    found = found || internal::equals_ignoring_case(element, token);
  });
  return found;
}

void check_options(const WebSocketOptions& options) {
  for (const std::string& origin : options.origins) internal::check_origin(origin);
  for (const std::string& name : options.subprotocols) internal::check_subprotocol(name);
}

// RFC 9110 section 15.5.22: says what to upgrade to. HTTP/2 has no such fields (RFC 9113 section 8.2.2).
[[noreturn]] void ask_for_upgrade(Exchange& c, const char* why) {
  Exchange::State& state = ExchangeAccess::state(c);
  if (state.sink->switching() == Switching::kUpgrade)
    state.fields += "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  c.set_header("Sec-WebSocket-Version", internal::kWebSocketVersion);
  throw HttpError(426, Code::kFailedPrecondition, why);
}

void check_origin_of(const Exchange& c, const WebSocketOptions& options) {
  const CountedField origin = internal::counted_field(c, "origin");
  if (options.any_origin || origin.count == 0) return;
  const auto& known = options.origins;
  const std::string_view authority = internal::origin_authority(origin.value);
  const bool ours = !authority.empty() && internal::equals_ignoring_case(authority, c.host());
  if (origin.count == 1 && (ours || std::find(known.begin(), known.end(), origin.value) != known.end()))
    return;
  throw HttpError(403, Code::kPermissionDenied, "the request comes from a page of another origin");
}

bool asks_for_websocket(const Exchange& c, Switching how) {
  if (how != Switching::kUpgrade) return how == Switching::kConnect;
  return ExchangeAccess::state(c).head->minor_version() != 0 && names(c, "upgrade", "websocket") &&
         names(c, "connection", "upgrade");
}

std::string_view checked_key(const Exchange& c) {
  const CountedField key = internal::counted_field(c, "sec-websocket-key");
  const auto bytes = internal::from_base64(key.value);
  if (key.count != 1 || !bytes || bytes->size() != kKeyBytes)
    throw HttpError(400, Code::kInvalidArgument, "Sec-WebSocket-Key must be 16 bytes in base64");
  return key.value;
}

// RFC 6455 section 4.2.1. Returns what the answer has for it: an extended CONNECT needs no proof that it was understood (RFC
// 8441 section 5).
std::string check_handshake(Exchange& c, const WebSocketOptions& options) {
  const Switching how = ExchangeAccess::state(c).sink->switching();
  if (c.method() != "GET") {
    c.set_header("Allow", "GET");
    throw HttpError(405, Code::kUnimplemented, "a WebSocket begins with GET");
  }
  if (!asks_for_websocket(c, how)) ask_for_upgrade(c, "this is served as a WebSocket only");
  const CountedField version = internal::counted_field(c, "sec-websocket-version");
  if (version.count != 1 || version.value != internal::kWebSocketVersion)
    ask_for_upgrade(c, "Sec-WebSocket-Version must be 13");
  std::string fields;
  if (how == Switching::kUpgrade)
    fields = fmt::format("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n",
                         internal::websocket_accept(checked_key(c)));
  if (!c.body().empty())
    throw HttpError(400, Code::kInvalidArgument, "the handshake of a WebSocket has no body");
  check_origin_of(c, options);
  return fields;
}

std::string choose_subprotocol(const Exchange& c, const WebSocketOptions& options) {
  const std::string offered = joined(c, "sec-websocket-protocol");
  for (const std::string& ours : options.subprotocols) {
    bool known = false;
    internal::each_list_element(offered, [&](std::string_view theirs) { known = known || theirs == ours; });
    if (known) return ours;
  }
  return {};
}

void run_handler(WebSocketCore& core, WebSocket& socket, UniqueFunction<void(WebSocket&)>& handler) {
  try {
    handler(socket);
    core.close(1000, {});
    core.finish();
  } catch (const Error& error) {
    const bool ended = error.code() == Code::kCancelled || error.code() == Code::kDeadlineExceeded;
    core.close_now(ended ? 1001 : 1011);
    throw;
  } catch (...) {
    core.close_now(1011);
    throw;
  }
}

}  // namespace

WebSocket::WebSocket(std::unique_ptr<WebSocketCore> core) noexcept : core_(std::move(core)) {}
WebSocket::WebSocket(WebSocket&&) noexcept = default;
WebSocket::~WebSocket() {
  if (core_) core_->close_now(1001);
}

std::optional<Message> WebSocket::recv() { return core_->recv(); }
void WebSocket::send(const Message& message) { core_->send(message.text, message.data); }
void WebSocket::send_text(std::string_view text) { core_->send(true, text); }
void WebSocket::send_binary(std::string_view bytes) { core_->send(false, bytes); }
void WebSocket::ping(std::string_view payload) { core_->ping(payload); }
void WebSocket::close(int code, std::string_view reason) { core_->close(code, reason); }
int WebSocket::close_code() const noexcept { return core_->close_code(); }
const std::string& WebSocket::close_reason() const noexcept { return core_->close_reason(); }
const std::string& WebSocket::subprotocol() const noexcept { return core_->subprotocol(); }

void websocket(Exchange& exchange, const WebSocketOptions& options,
               UniqueFunction<void(WebSocket&)> handler) {
  check_options(options);
  std::string fields = check_handshake(exchange, options);
  WebSocketSetup setup;
  setup.limits = options.limits;
  setup.subprotocol = choose_subprotocol(exchange, options);
  if (options.limits.compression.enabled)
    setup.deflate =
        internal::accept_deflate(joined(exchange, "sec-websocket-extensions"), options.limits.compression);
  if (!setup.subprotocol.empty()) fields += fmt::format("Sec-WebSocket-Protocol: {}\r\n", setup.subprotocol);
  if (setup.deflate)
    fields += fmt::format("Sec-WebSocket-Extensions: {}\r\n", internal::deflate_answer(*setup.deflate));
  Exchange::State& state = ExchangeAccess::state(exchange);
  net::TcpStream& stream = state.sink->switch_protocols(state, fields, setup.input);
  auto made = std::make_unique<WebSocketCore>(stream, std::move(setup));
  WebSocketCore& core = *made;
  WebSocket socket(std::move(made));
  core.start(exchange.draining());
  run_handler(core, socket, handler);
}

}  // namespace degu::http
