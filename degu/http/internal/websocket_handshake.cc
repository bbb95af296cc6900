#include <degu/base/error.h>
#include <degu/http/internal/base64.h>
#include <degu/http/internal/digest.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/websocket_handshake.h>
#include <fmt/format.h>

namespace degu::http::internal {

std::string websocket_accept(std::string_view key) {
  return to_base64(sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

void check_subprotocol(std::string_view name) {
  if (!is_token(name))
    throw Error(Code::kInvalidArgument,
                fmt::format("\"{}\" is no name of a subprotocol: it is no token", name));
}

}  // namespace degu::http::internal
