#include <degu/base/error.h>
#include <degu/base/random.h>
#include <degu/context/context.h>
#include <degu/http/internal/client_request.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/request_scope.h>
#include <degu/http/trace_context.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace degu::http::internal {
namespace {

void check_header(std::string_view name, std::string_view value) {
  constexpr std::array<std::string_view, 6> kOurs{"host",       "content-length", "transfer-encoding",
                                                  "connection", "expect",         "keep-alive"};
  if (!is_token(name) || !is_field_value(value))
    throw Error(Code::kInvalidArgument, "a request header has characters that are not allowed");
  for (const std::string_view ours : kOurs) {
    if (equals_ignoring_case(name, ours))
      throw Error(Code::kInvalidArgument, fmt::format("{} is set by the client", name));
  }
}

// One trace's fields belong together: if the caller has set one, both are the caller's.
void add_trace(const ClientRequest& request, HeaderList& fields) {
  const Context context = current_context();
  const TraceContext* const trace = context.value(kTraceContext);
  if (trace == nullptr || request.has_header("traceparent") || request.has_header("tracestate")) return;
  uint64_t span = 0;
  while (span == 0) span = random_u64();
  std::string parent = traceparent(*trace, span);
  if (!parse_trace_context(parent)) return;  // who made the value did not keep to its contract
  fields.emplace_back("traceparent", std::move(parent));
  if (!trace->state.empty() && is_field_value(trace->state)) fields.emplace_back("tracestate", trace->state);
}

}  // namespace

bool ClientRequest::has_header(std::string_view name) const noexcept {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& header) { return equals_ignoring_case(header.first, name); });
}

bool ClientRequest::is_idempotent() const noexcept {
  constexpr std::array<std::string_view, 6> kIdempotent{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::find(kIdempotent.begin(), kIdempotent.end(), method) != kIdempotent.end() ||
         has_header("idempotency-key");
}

ClientRequest make_client_request(const Request& request, BodyWriter* writer, bool decode_content) {
  if (!is_token(request.method)) throw Error(Code::kInvalidArgument, "the request method is not a token");
  if (request.method == "CONNECT")
    throw Error(Code::kInvalidArgument, "CONNECT asks for a tunnel, not for an answer");
  for (const auto& [name, value] : request.headers) check_header(name, value);
  ClientRequest made;
  made.method = request.method;
  made.url = parse_url(request.url);
  made.headers = request.headers;
  if (writer == nullptr) made.body = request.body;
  made.writer = writer;
  made.expect_continue = request.expect_continue;
  // A part of an encoded body could not be decoded, and who names codings wants to see them.
  made.decodes = decode_content && request.method != "HEAD" && !made.has_header("accept-encoding") &&
                 !made.has_header("range");
  return made;
}

HeaderList wire_fields(const ClientRequest& request, std::optional<TimePoint> context_deadline) {
  HeaderList fields = request.headers;
  if (request.decodes) fields.emplace_back("Accept-Encoding", "gzip, br");
  if (context_deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(*context_deadline - now()).count();
    if (left <= 0) throw DeadlineExceeded("no time is left for the request");
    fields.emplace_back(kTimeoutHeader, fmt::format("{}", left));
  }
  add_trace(request, fields);
  if (request.expect_continue && request.has_body()) fields.emplace_back("Expect", "100-continue");
  const bool wants_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (request.writer == nullptr && (wants_body || !request.body.empty()))
    fields.emplace_back("Content-Length", fmt::format("{}", request.body.size()));
  return fields;
}

std::string http1_head(const ClientRequest& request, std::optional<TimePoint> context_deadline,
                       const ProxyRoute* proxy) {
  const bool through = proxy != nullptr && !request.url.secure;  // a tunnel's proxy reads no requests
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method,
                                 through ? request.url.text() : request.url.target, request.url.authority);
  for (const auto& [name, value] : wire_fields(request, context_deadline))
    head.append(name).append(": ").append(value).append("\r\n");
  if (through && !proxy->authorization.empty() && !request.has_header("proxy-authorization"))
    head.append("Proxy-Authorization: ").append(proxy->authorization).append("\r\n");
  if (request.writer != nullptr) head += "Transfer-Encoding: chunked\r\n";
  return head += "\r\n";
}

}  // namespace degu::http::internal
