#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/percent.h>
#include <degu/http/internal/request_scope.h>
#include <degu/http/internal/response_fields.h>
#include <degu/http/internal/status.h>
#include <degu/obs/log.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace degu::http::internal {
namespace {

// Details of these may tell a client about our inside; they go to the log only.
bool is_internal(Code code) noexcept {
  return code == Code::kInternal || code == Code::kUnknown || code == Code::kDataLoss;
}

void take_params(Exchange::State& state) {
  // Only now, behind the decision about the route, do encoded slashes become slashes.
  std::replace(state.decoded_path.begin(), state.decoded_path.end(), kEncodedSlash, '/');
  for (std::size_t i = 0; i < state.match.count; ++i) {
    state.params.push_back({state.route->param_names[i], state.match.values[i]});
  }
}

void log_failure(const Exchange::State& state, std::string_view what) noexcept {
  log(Level::kError, "request failed",
      {{"method", state.head->method()},
       {"path", state.head->path()},
       {"request_id", state.request_id},
       {"error", what}});
}

// What the filter of a streamed body holds back still. A body that is shorter than announced must not look whole.
void end_stream(Exchange::State& state) {
  if (state.broken || is_bodiless(state)) return;
  if (state.filter != nullptr) {
    state.text.clear();
    state.filter->finish(state.text);
    send_piece(state, state.text);
  }
  if (!state.stream_length || state.streamed_bytes == *state.stream_length) return;
  state.broken = true;
  log_failure(state, "a stream has fewer bytes than it announced");
}

// Whether nothing is missing of a streamed response although its handler was ended by this.
bool is_complete(const Exchange::State& state, const Error& error) {
  return error.code() == Code::kCancelled && state.ends_at_drain &&
         (state.sink->stopping() || is_bodiless(state));
}

}  // namespace

void find_route(const RouteTable& table, Exchange::State& state) {
  state.table = &table;
  const RequestHead& head = *state.head;
  std::string_view path = head.path();
  if (head.path_needs_decoding()) {
    if (!decode_path(path, state.decoded_path)) {
      state.fallback_status = 400;
      return;
    }
    path = state.decoded_path;
  }
  const std::string_view method = head.method();
  state.route = table.match(head.method_id(), method, path, state.match);
  if (state.route == nullptr && head.method_id() == MethodId::kHead) {
    state.route = table.match("GET", path, state.match);
  }
  if (state.route != nullptr) return take_params(state);
  if (!table.knows_method(method)) {
    state.fallback_status = 501;
    return;
  }
  state.allow = table.allowed(path);
  if (state.allow.empty()) return;
  state.fallback_status = head.method_id() == MethodId::kOptions ? 204 : 405;
}

void run_exchange(Exchange::State& state) {
  Exchange exchange(state);
  try {
    const RequestScope scope(*state.head, state.route);
    exchange.next();
    // A handler that only returns has served the request: 204. Without a route next() has answered, unless
    // middleware kept the chain from getting there.
    if (state.status == 0) state.status = exchange.status();
    if (state.stream && !state.stream_started) state.stream->write({});
    if (state.stream_started) end_stream(state);
  } catch (...) {
    answer_exception(state);
  }
  if (state.filter) state.filter.reset();
  state.clear_locals();
}

void start_stream(Exchange::State& state) {
  state.stream_started = true;
  if (state.filter != nullptr) {
    if (state.filter->start(state)) {
      state.stream_length.reset();
    } else {
      state.filter.reset();
    }
  }
  state.sink->start_stream(state);
}

void send_piece(Exchange::State& state, std::string_view piece) {
  if (piece.empty()) return;  // it would look like the end
  if (state.stream_length && piece.size() > *state.stream_length - state.streamed_bytes) {
    throw Error(Code::kInternal, "a stream has more bytes than it announced");
  }
  state.streamed_bytes += piece.size();
  state.sink->write_piece(state, piece);
}

void answer_exception(Exchange::State& state) noexcept {
  try {
    try {
      throw;
    } catch (const Error& error) {
      if (is_internal(error.code())) log_failure(state, error.what());
      if (state.stream_started) {
        state.broken = state.broken || !is_complete(state, error);
        return;
      }
      if (error.code() == Code::kCancelled && state.sink->stopping()) {
        answer_problem(state, 503, Code::kUnavailable, "the server is shutting down", {});
      } else {
        Exchange(state).problem(error);
      }
    } catch (const std::exception& error) {
      log_failure(state, error.what());
      if (state.stream_started) {
        state.broken = true;
        return;
      }
      answer_problem(state, 500, Code::kInternal, {}, {});
    } catch (...) {
      log_failure(state, "an exception of unknown type");
      state.broken = state.stream_started;
      if (!state.broken) answer_problem(state, 500, Code::kInternal, {}, {});
    }
  } catch (...) {
    state.broken = true;  // no memory even for the answer
  }
}

void answer_problem(Exchange::State& state, int status, Code code, std::string_view detail,
                    const std::vector<ErrorDetail>& details) {
  state.stream.reset();
  state.discard_body();
  for (const char* name : {"etag", "last-modified", "content-encoding", "content-range"}) {
    remove_field(state.fields, name);
  }
  state.status = status;
  state.has_body = true;
  state.content_type = "application/problem+json";
  json::Writer writer(state.text);
  writer.begin_object();
  writer.key("type");
  writer.value("about:blank");
  writer.key("title");
  writer.value(reason_phrase(status));
  writer.key("status");
  writer.value(status);
  writer.key("detail");
  writer.value(is_internal(code) ? std::string_view("the server failed to handle the request") : detail);
  writer.key("code");
  writer.value(to_string(code));
  if (!details.empty() && !is_internal(code)) {
    writer.key("errors");
    writer.begin_array();
    for (const ErrorDetail& item : details) {
      writer.begin_object();
      writer.key("field");
      writer.value(item.field);
      writer.key("reason");
      writer.value(item.reason);
      writer.end_object();
    }
    writer.end_array();
  }
  if (!state.request_id.empty()) {
    writer.key("requestId");
    writer.value(state.request_id);
  }
  writer.end_object();
  // RFC 9110 section 15.5.2 wants a challenge with every 401.
  if (status == 401 && !has_field(state.fields, "www-authenticate"))
    state.fields += "WWW-Authenticate: Bearer\r\n";
}

bool is_bodiless(const Exchange::State& state) noexcept {
  return state.head->method_id() == MethodId::kHead || state.status == 204 || state.status == 304;
}

void append_response_head(std::string& out, const Exchange::State& state, const HeadOptions& options) {
  constexpr std::size_t kNumber = 20;      // digits of 64 bits
  constexpr std::size_t kOurFields = 128;  // more than what is added below
  std::string_view line = status_line(state.status);
  std::string rare;
  if (line.empty())
    line = rare = fmt::format("HTTP/1.1 {} {}\r\n", state.status, reason_phrase(state.status));
  const std::size_t begin = out.size();
  out.resize(begin + line.size() + options.date.size() + state.content_type.size() + state.fields.size() +
             kOurFields);
  char* at = out.data() + begin;
  const auto put = [&](std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  };
  put(line);
  if (!options.date.empty()) put(options.date);
  if (!state.content_type.empty()) {
    put("Content-Type: ");
    put(state.content_type);
    put("\r\n");
  }
  if (options.chunked) {
    put("Transfer-Encoding: chunked\r\n");
  } else if (!options.until_close && state.status != 204 && !(state.status == 304 && !state.has_body)) {
    put("Content-Length: ");
    at = std::to_chars(at, at + kNumber, state.stream_length.value_or(state.response_body().size())).ptr;
    put("\r\n");
  }
  if (!options.keep_alive) {
    put("Connection: close\r\n");
  } else if (options.http10) {
    put("Connection: keep-alive\r\n");
  }
  put(state.fields);
  put("\r\n");
  out.resize(static_cast<std::size_t>(at - out.data()));
}

}  // namespace degu::http::internal
