// ClientRequest: a request as it goes on the wire, after redirects perhaps another one than was asked for.
#pragma once

#include <degu/base/time.h>
#include <degu/http/client.h>
#include <degu/http/internal/body_reader.h>
#include <degu/http/internal/proxy_rules.h>
#include <degu/http/internal/url.h>

#include <optional>
#include <string>
#include <string_view>

namespace degu::http::internal {

struct ClientRequest {
  std::string method;
  Url url;
  HeaderList headers;  ///< the caller's
  std::string_view body;
  BodyWriter* writer = nullptr;  ///< makes the body instead
  bool writer_begun = false;     ///< it cannot be called again
  bool expect_continue = false;
  bool decodes = false;  ///< asks for codings, to decode them

  bool has_body() const noexcept { return writer != nullptr || !body.empty(); }
  bool has_header(std::string_view name) const noexcept;
  /// May be repeated when nobody knows whether the server has acted on it (RFC 9110 section 9.2.2), or says so itself by
  /// an Idempotency-Key.
  bool is_idempotent() const noexcept;
};

/// Throws Error(kInvalidArgument) for a bad URL, method or header, and for headers that are the client's own.
ClientRequest make_client_request(const Request& request, BodyWriter* writer, bool decode_content);

/// All fields but Host and Transfer-Encoding: the caller's, codings, the time left until `deadline` if it is the context's,
/// the trace, and what announces the body. Throws DeadlineExceeded when no time is left.
HeaderList wire_fields(const ClientRequest& request, std::optional<TimePoint> context_deadline);

/// The head of HTTP/1.1. A plain request through a proxy, null for none, names the whole URL (RFC 9112 section 3.2.2) and
/// has the proxy's credentials, unless it has some itself.
std::string http1_head(const ClientRequest& request, std::optional<TimePoint> context_deadline,
                       const ProxyRoute* proxy = nullptr);

}  // namespace degu::http::internal
