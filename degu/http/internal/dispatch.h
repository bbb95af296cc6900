// Dispatch: from a parsed head to a finished response, whatever carries the bytes.
#pragma once

#include <degu/http/internal/exchange_state.h>

namespace degu::http::internal {

/// Finds the route (state.route) or what to answer without one. Needs the head, not the body.
void find_route(const RouteTable& table, Exchange::State& state);

/// Runs the chain in the request's context and leaves a complete response in `state`. Exceptions of handlers
/// become problem documents.
void run_exchange(Exchange::State& state);

/// Sends the head of a streamed response, when the body's filter has seen it.
void start_stream(Exchange::State& state);
/// Sends a piece of the body as it is. Throws as ResponseStream::write.
void send_piece(Exchange::State& state, std::string_view piece);

/// Called in a catch block: turns the current exception into the response, or marks a stream that has begun
/// as broken.
void answer_exception(Exchange::State& state) noexcept;

/// Replaces the response by an RFC 9457 document; what the fields say about the former body goes with it.
void answer_problem(Exchange::State& state, int status, Code code, std::string_view detail,
                    const std::vector<ErrorDetail>& details);

/// Appends status line and header section. `date` is a whole line or empty.
struct HeadOptions {
  std::string_view date;
  bool keep_alive = true;
  bool http10 = false;
  bool chunked = false;
  bool until_close = false;  // a streamed body on HTTP/1.0
};
void append_response_head(std::string& out, const Exchange::State& state, const HeadOptions& options);

/// The response to this request must not carry a body.
bool is_bodiless(const Exchange::State& state) noexcept;

}  // namespace degu::http::internal
