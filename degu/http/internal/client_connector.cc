#include <degu/context/cancel_scope.h>
#include <degu/http/internal/client_call.h>
#include <degu/http/internal/client_connector.h>
#include <fmt/format.h>

#include <algorithm>
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

}  // namespace

net::TcpStream ClientConnector::connect(const Url& url, TimePoint deadline) {
  net::TcpStream stream;
  limited(deadline, options_.connect_timeout, "connecting",
          [&](TimePoint until) { stream = net::TcpStream::connect(url.address, {.deadline = until}); });
  if (!url.secure) return stream;
  stream = tls_().wrap(std::move(stream), url.host);
  limited(deadline, options_.tls_timeout, "the TLS handshake",
          [&](TimePoint until) { net::tls_handshake(stream, until); });
  return stream;
}

}  // namespace degu::http::internal
