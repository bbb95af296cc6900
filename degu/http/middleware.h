// Middleware that nearly every service wants.
#pragma once

#include <degu/http/exchange.h>

#include <chrono>

namespace degu::http {

/// Turns exceptions into RFC 9457 answers: an Error by its code, anything else into a 500 that says nothing
/// more, with the cause in the log. The server does the same for what no recovery() has caught; as middleware
/// it lets those before it (access_log) see the final status.
Handler recovery();

/// One record through degu::log for each request: method, path, route, status, bytes, duration, request id,
/// peer, client_ip (of real_ip()). What the server refuses before any middleware is logged by refusal_log() of
/// ServerOptions::on_refusal.
Handler access_log();

/// Takes over a fit X-Request-Id (1..128 visible ASCII characters) or makes one (128 random bits), and
/// answers with it.
Handler request_id();

/// Ends the rest of the chain's context after `limit`, or after x-request-timeout-ms if that is shorter.
/// Waits then throw DeadlineExceeded, and the client gets 504. The handler is never abandoned: a handler that
/// computes without waiting answers late, but no one else writes to its exchange. Routes that are long_lived
/// (RouteOptions) are left alone.
Handler timeout(std::chrono::nanoseconds limit);

}  // namespace degu::http
