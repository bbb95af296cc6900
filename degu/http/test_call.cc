#include <degu/base/error.h>
#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/memory_sink.h>
#include <degu/http/test_call.h>
#include <fmt/format.h>

namespace degu::http::test {
namespace {

std::string request_text(std::string_view method, std::string_view target, std::string_view body,
                         const std::vector<std::pair<std::string, std::string>>& headers) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  bool has_host = false;
  bool has_type = false;
  for (const auto& [name, value] : headers) {
    has_host = has_host || internal::equals_ignoring_case(name, "host");
    has_type = has_type || internal::equals_ignoring_case(name, "content-type");
    text += fmt::format("{}: {}\r\n", name, value);
  }
  if (!has_host) text += "Host: test\r\n";
  if (!has_type && !body.empty() && (body.front() == '{' || body.front() == '[')) {
    text += "Content-Type: application/json\r\n";
  }
  return text += fmt::format("Content-Length: {}\r\n\r\n", body.size());
}

Response to_response(const Exchange::State& state, const internal::MemorySink& sink) {
  Response response;
  response.status = state.status;
  if (!state.content_type.empty()) response.headers.emplace_back("Content-Type", state.content_type);
  std::string_view left = state.fields;
  while (!left.empty()) {
    const std::size_t end = left.find("\r\n");
    const internal::FieldLine line = internal::parse_field_line(left.substr(0, end));
    response.headers.emplace_back(line.name, line.value);
    left.remove_prefix(end + 2);
  }
  if (!internal::is_bodiless(state))
    response.body = state.stream_started ? sink.text() : state.response_body();
  return response;
}

}  // namespace

Response call(const Router& router, std::string_view method, std::string_view target, std::string_view body,
              const std::vector<std::pair<std::string, std::string>>& headers, std::string_view peer) {
  const std::string text = request_text(method, target, body, headers);
  RequestParser parser;
  internal::MemorySink sink{std::string(peer)};
  Exchange::State state;
  state.sink = &sink;
  const ParseState parsed = parser.parse(text);
  state.head = &parser.head();
  if (parsed != ParseState::kDone) {
    internal::answer_problem(state, parser.error_status(), Code::kInvalidArgument, parser.error_reason(), {});
    return to_response(state, sink);
  }
  state.body = body;
  internal::find_route(*router.table(), state);
  const std::size_t limit = state.route != nullptr ? state.route->options.max_body_bytes : 0;
  if (limit != 0 && body.size() > limit) {
    internal::answer_problem(state, 413, Code::kOutOfRange, "the body is too large", {});
    return to_response(state, sink);
  }
  internal::run_exchange(state);
  return to_response(state, sink);
}

}  // namespace degu::http::test
