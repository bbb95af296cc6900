// How long a client waits before it asks again.
#pragma once

#include <degu/http/client.h>
#include <degu/http/internal/response_parser.h>

#include <chrono>
#include <optional>

namespace degu::http::internal {

/// Random in [0, min(initial_backoff * 2^(attempt - 1), max_backoff)]; `attempt` is the one that failed, from 1.
std::chrono::nanoseconds backoff(const RetryOptions& options, int attempt) noexcept;

/// What a 429 or 503 asks for by Retry-After (RFC 9110 section 10.2.3), in seconds or as a date; nothing for others, and
/// when it is malformed or comes twice. The obsolete forms of dates count as malformed.
std::optional<std::chrono::nanoseconds> retry_after(const ResponseHead& head);

}  // namespace degu::http::internal
