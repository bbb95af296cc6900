// TraceContext: which trace a request belongs to (W3C Trace Context).
#pragma once

#include <degu/context/context.h>
#include <degu/http/exchange.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace degu::http {

/// The trace that the work of a context is part of. Ids are lower-case hexadecimal and not all zeros.
struct TraceContext {
  std::string trace_id;   ///< 32 digits
  std::string parent_id;  ///< 16 digits: the span that this work is done for
  uint8_t flags = 0;      ///< bit 0: sampled
  std::string state;      ///< tracestate, as it came; "" if there is none
};

/// Set by the trace_context() middleware, or with with_value() by who begins a trace. Client sends it on.
inline constexpr ContextKey<TraceContext> kTraceContext{"trace context"};

/// Reads the fields of a request by W3C Trace Context sections 3.2 and 3.3: nothing for a traceparent that is malformed,
/// of version ff, or with an id of zeros; a later version counts as far as it is known. `tracestate` are the values of
/// its fields in order: one that is malformed, has more than 32 members, or one key twice, is dropped.
std::optional<TraceContext> parse_trace_context(std::string_view traceparent,
                                                std::span<const std::string_view> tracestate = {});

/// The traceparent of a span within the trace, version 00. Of the flags only "sampled" is passed on.
std::string traceparent(const TraceContext& trace, uint64_t span_id);

/// Runs the rest of the chain in a context with the request's TraceContext, so that what its handlers ask of others is part
/// of the same trace. A request with no traceparent, a bad one or several, runs as it is.
Handler trace_context();

}  // namespace degu::http
