#include <degu/context/cancel_scope.h>
#include <degu/http/internal/client_call.h>
#include <degu/http/internal/client_connector.h>
#include <degu/http/internal/read_buffer.h>
#include <degu/http/internal/response_parser.h>
#include <degu/rt/park.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

namespace degu::http::internal {
namespace {

// Runs a step that ends at `deadline`, and after `limit` if that is earlier: then the server is to blame, not the caller.
template <class F>
void limited(TimePoint deadline, std::chrono::nanoseconds limit, std::string_view what, F step) {
  const TimePoint own = limit.count() > 0 ? after_delay(now(), limit) : kNever;
  try {
    step(std::min(deadline, own));
  } catch (const DeadlineExceeded&) {
    if (own >= deadline || current_context().done() || now() < own) throw;
    throw NotAnswered(fmt::format("{} took too long", what), false);
  } catch (const Error& error) {
    if (error.code() != Code::kUnavailable) throw;
    throw NotAnswered(error.message(), false);
  }
}

void check(net::IoResult result) {
  if (result.error == 0) return;
  if (result.error == ECANCELED) rt::throw_interrupted();
  if (result.error == ETIMEDOUT) throw DeadlineExceeded("the proxy did not answer in time");
  throw Error(Code::kUnavailable,
              fmt::format("the connection to the proxy broke: {}", std::strerror(result.error)));
}

ResponseHead read_proxy_head(net::TcpStream& stream, ReadBuffer& buffer, std::size_t max_bytes,
                             TimePoint deadline) {
  for (std::size_t scanned = 0;;) {
    if (auto head = parse_response_head(buffer.view(), scanned)) {
      buffer.consume(head->bytes);
      return std::move(*head);
    }
    if (buffer.size() > max_bytes)
      throw Error(Code::kResourceExhausted, "the header section of the proxy's answer is too large");
    const net::IoResult result = stream.read(buffer.make_room(), deadline);
    check(result);
    if (result.bytes == 0) throw Error(Code::kUnavailable, "the proxy closed the connection");
    buffer.commit(result.bytes);
  }
}

// RFC 9110 section 9.3.6. What the proxy says behind its 2xx would be taken for the server's TLS, which the client begins.
void open_tunnel(net::TcpStream& stream, const Url& url, const ProxyRoute& proxy, std::size_t max_bytes,
                 TimePoint deadline) {
  std::string request = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", url.address);
  if (!proxy.authorization.empty())
    request.append("Proxy-Authorization: ").append(proxy.authorization).append("\r\n");
  request += "\r\n";
  check(stream.write(request, deadline));
  ReadBuffer buffer;
  ResponseHead head;
  for (int i = 0; i < kMaxInterim && head.status < 200; ++i)
    head = read_proxy_head(stream, buffer, max_bytes, deadline);
  // By whom it was refused is up to the caller's configuration: asking again changes nothing.
  if (head.status >= 400 && head.status < 500)
    throw Error(Code::kPermissionDenied, fmt::format("the proxy refuses the tunnel by {}", head.status));
  if (head.status < 200 || head.status >= 300)
    throw Error(Code::kUnavailable, fmt::format("the proxy made no tunnel, but answered {}", head.status));
  if (buffer.size() != 0)
    throw Error(Code::kInternal, "malformed response: there is more behind a tunnel's head");
}

}  // namespace

net::TcpStream ClientConnector::connect(const Url& url, const ProxyRoute* proxy, TimePoint deadline) {
  net::TcpStream stream;
  limited(deadline, options_.connect_timeout, "connecting", [&](TimePoint until) {
    stream = net::TcpStream::connect(proxy != nullptr ? proxy->address : url.address, {.deadline = until});
    if (proxy != nullptr && url.secure) open_tunnel(stream, url, *proxy, options_.max_header_bytes, until);
  });
  if (!url.secure) return stream;
  stream = tls_().wrap(std::move(stream), url.host, url.address);
  limited(deadline, options_.tls_timeout, "the TLS handshake",
          [&](TimePoint until) { net::tls_handshake(stream, until); });
  return stream;
}

net::TlsClientOptions ClientConnector::tls_options(const ClientOptions& options) {
  net::TlsClientOptions tls = options.tls;
  if (!tls.alpn.empty()) return tls;
  if (options.version != HttpVersion::kHttp1) tls.alpn.emplace_back("h2");
  if (options.version != HttpVersion::kHttp2) tls.alpn.emplace_back("http/1.1");
  return tls;
}

bool ClientConnector::may_speak_http2(const Url& url, const ProxyRoute* proxy) const noexcept {
  if (!url.secure) return options_.version == HttpVersion::kHttp2 && proxy == nullptr;
  const std::vector<std::string>& alpn = options_.tls.alpn;
  return alpn.empty() ? options_.version != HttpVersion::kHttp1
                      : std::find(alpn.begin(), alpn.end(), "h2") != alpn.end();
}

bool ClientConnector::speaks_http2(const net::TcpStream& stream, const Url& url,
                                   const ProxyRoute* proxy) const {
  if (!url.secure) return may_speak_http2(url, proxy);
  const auto info = net::tls_info(stream);
  if (info && info->alpn == "h2") return true;
  if (options_.version == HttpVersion::kHttp2) throw NotAnswered("the server does not speak HTTP/2", false);
  return false;
}

}  // namespace degu::http::internal
