#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/exchange_state.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/percent.h>
#include <degu/net/tls.h>
#include <fmt/format.h>

#include <utility>

namespace degu::http {
namespace {

// Buffers that grew beyond this are given back between requests.
constexpr std::size_t kKeepCapacity = 64 * 1024;

void clear_bounded(std::string& text) {
  if (text.capacity() > kKeepCapacity) {
    std::string().swap(text);
  } else {
    text.clear();
  }
}

bool is_framing_field(std::string_view name) noexcept {
  for (const std::string_view framing :
       {"content-length", "transfer-encoding", "connection", "date", "keep-alive", "upgrade", "trailer"}) {
    if (internal::equals_ignoring_case(name, framing)) return true;
  }
  return false;
}

void check_field(std::string_view name, std::string_view value) {
  if (!internal::is_token(name)) throw Error(Code::kInternal, "a response header name is not a token");
  if (!internal::is_field_value(value)) {
    throw Error(Code::kInternal, fmt::format("the response header {} has control characters", name));
  }
  if (is_framing_field(name)) throw Error(Code::kInternal, fmt::format("{} is set by the server", name));
}

void append_field(std::string& fields, std::string_view name, std::string_view value) {
  fields.append(name).append(": ").append(value).append("\r\n");
}

void remove_field(std::string& fields, std::string_view name) {
  std::size_t at = 0;
  while (at < fields.size()) {
    const std::size_t end = fields.find('\n', at) + 1;
    const std::string_view line = std::string_view(fields).substr(at, end - at);
    if (internal::equals_ignoring_case(line.substr(0, line.find(':')), name)) {
      fields.erase(at, end - at);
    } else {
      at = end;
    }
  }
}

void parse_query(Exchange::State& state) {
  state.query_parsed = true;
  std::string_view left = state.head->query();
  if (left.empty()) return;
  // Decoding never lengthens, so the views into query_text stay valid.
  state.query_text.reserve(left.size());
  const auto decode = [&](std::string_view raw) {
    const std::size_t begin = state.query_text.size();
    if (!internal::decode_query(raw, state.query_text)) {
      throw Error(Code::kInvalidArgument, "the query is not valid percent-encoded UTF-8");
    }
    return std::string_view(state.query_text).substr(begin);
  };
  constexpr std::size_t kMaxParameters = 1000;
  while (!left.empty()) {
    const std::size_t end = left.find('&');
    const std::string_view pair = left.substr(0, end);
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
    if (pair.empty()) continue;
    if (state.query.size() == kMaxParameters) {
      throw Error(Code::kInvalidArgument, "the query has too many parameters");
    }
    const std::size_t equals = pair.find('=');
    const std::string_view name = decode(pair.substr(0, equals));
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : decode(pair.substr(equals + 1));
    state.query.push_back({name, value});
  }
}

bool is_json_type(std::string_view type) noexcept {
  type = internal::trim(type.substr(0, type.find(';')));
  constexpr std::string_view kSuffix = "+json";
  return internal::equals_ignoring_case(type, "application/json") ||
         (type.size() > kSuffix.size() &&
          internal::equals_ignoring_case(type.substr(type.size() - kSuffix.size()), kSuffix));
}

}  // namespace

std::optional<net::TlsInfo> internal::ResponseSink::tls() const { return std::nullopt; }

void Exchange::State::clear_locals() noexcept {
  while (!locals.empty()) {
    const internal::Local local = locals.back();
    locals.pop_back();
    local.destroy(local.object);
  }
}

void Exchange::State::discard_body() {
  status = 0;
  has_body = false;
  content_type.clear();
  clear_bounded(text);
  shared_text.reset();
}

void Exchange::State::reset() {
  body = {};
  route = nullptr;
  fallback_status = 404;
  next_handler = 0;
  match.count = 0;
  params.clear();
  if (!allow.empty()) allow.clear();
  if (!decoded_path.empty()) decoded_path.clear();
  if (query_parsed) {
    query_parsed = false;
    query_text.clear();
    query.clear();
  }
  document.reset();
  discard_body();
  fields.clear();
  if (stream) stream.reset();
  stream_started = false;
  streamed_bytes = 0;
  broken = false;
  request_id.clear();
  client_ip.clear();
  secure = false;
  clear_locals();
}

void ResponseStream::write(std::string_view piece) {
  Exchange::State& state = *exchange_.state_;
  if (!state.stream_started) {
    state.stream_started = true;
    state.sink->start_stream(state);
  }
  if (piece.empty() || internal::is_bodiless(state)) return;
  state.streamed_bytes += piece.size();
  state.sink->write_piece(state, piece);
}

std::string_view Exchange::method() const noexcept { return state_->head->method(); }
std::string_view Exchange::path() const noexcept { return state_->head->path(); }
std::string_view Exchange::target() const noexcept { return state_->head->target(); }
std::string_view Exchange::host() const noexcept { return state_->head->host(); }
std::string_view Exchange::header(std::string_view name) const noexcept { return state_->head->header(name); }
std::string_view Exchange::body() const noexcept { return state_->body; }
std::string Exchange::peer() const { return state_->sink->peer(); }
bool Exchange::secure() const noexcept { return state_->secure || state_->sink->secure(); }
std::string_view Exchange::scheme() const noexcept { return secure() ? "https" : "http"; }
std::optional<net::TlsInfo> Exchange::tls() const { return state_->sink->tls(); }
std::string_view Exchange::route() const noexcept {
  return state_->route == nullptr ? std::string_view() : std::string_view(state_->route->pattern);
}
std::string_view Exchange::request_id() const noexcept { return state_->request_id; }
void Exchange::set_request_id(std::string id) { state_->request_id = std::move(id); }

std::optional<std::string_view> Exchange::find_param(std::string_view name) const noexcept {
  for (const Param& param : state_->params) {
    if (param.name == name) return param.value;
  }
  return std::nullopt;
}

std::string_view Exchange::param(std::string_view name) const noexcept {
  return find_param(name).value_or(std::string_view());
}

std::span<const Param> Exchange::params() const noexcept { return state_->params; }

std::span<const Param> Exchange::query_params() const {
  if (!state_->query_parsed) parse_query(*state_);
  return state_->query;
}

std::optional<std::string_view> Exchange::find_query(std::string_view name) const {
  for (const Param& param : query_params()) {
    if (param.name == name) return param.value;
  }
  return std::nullopt;
}

std::string_view Exchange::query(std::string_view name) const {
  return find_query(name).value_or(std::string_view());
}

std::optional<degu::json::Value> Exchange::json_body() const {
  if (state_->body.empty()) return std::nullopt;
  if (!state_->document) {
    const std::string_view type = header("content-type");
    if (!type.empty() && !is_json_type(type)) {
      throw HttpError(415, Code::kInvalidArgument, "the body must be application/json");
    }
    state_->document.emplace(degu::json::Document::parse(state_->body));
  }
  return state_->document->root();
}

void Exchange::status(int status) {
  if (status < 200 || status > 599)
    throw Error(Code::kInternal, fmt::format("{} is no final status", status));
  state_->status = status;
}

int Exchange::status() const noexcept {
  if (state_->status != 0) return state_->status;
  return state_->route == nullptr ? state_->fallback_status : 204;
}

void Exchange::set_header(std::string_view name, std::string_view value) {
  check_field(name, value);
  if (internal::equals_ignoring_case(name, "content-type")) {
    state_->content_type = value;
    return;
  }
  remove_field(state_->fields, name);
  append_field(state_->fields, name, value);
}

void Exchange::add_header(std::string_view name, std::string_view value) {
  if (internal::equals_ignoring_case(name, "content-type")) return set_header(name, value);
  check_field(name, value);
  append_field(state_->fields, name, value);
}

std::string& Exchange::begin_body(int status, std::string_view content_type) {
  if (!internal::is_field_value(content_type)) throw Error(Code::kInternal, "bad content type");
  this->status(status);
  state_->has_body = true;
  state_->content_type = content_type;
  state_->shared_text.reset();
  clear_bounded(state_->text);
  return state_->text;
}

void Exchange::text(int status, std::string_view text) {
  begin_body(status, "text/plain; charset=utf-8").append(text);
}

void Exchange::raw(int status, std::string_view content_type, std::string body) {
  begin_body(status, content_type) = std::move(body);
}

void Exchange::raw(int status, std::string_view content_type, std::shared_ptr<const std::string> body) {
  begin_body(status, content_type);
  state_->shared_text = std::move(body);
}

void Exchange::empty(int status) {
  state_->discard_body();
  this->status(status);
}

void Exchange::problem(const Error& error) {
  const auto* http = dynamic_cast<const HttpError*>(&error);
  internal::answer_problem(*state_, http != nullptr ? http->status() : http_status(error.code()),
                           error.code(), error.message(), error.details());
}

ResponseStream& Exchange::stream(int status, std::string_view content_type) {
  begin_body(status, content_type);
  if (!state_->stream) state_->stream.reset(new ResponseStream(*this));
  return *state_->stream;
}

std::size_t Exchange::response_bytes() const noexcept {
  return state_->stream_started ? state_->streamed_bytes : state_->response_body().size();
}

void Exchange::next() {
  State& state = *state_;
  const auto& chain = state.route != nullptr ? state.route->chain : state.table->root_chain();
  if (state.next_handler < chain.size()) {
    (*chain[state.next_handler++])(*this);
    return;
  }
  if (state.route != nullptr || state.next_handler > chain.size()) return;
  ++state.next_handler;
  if (!state.allow.empty()) set_header("Allow", state.allow);
  switch (state.fallback_status) {
    case 204:
      return empty(204);
    case 400:
      return problem(Error(Code::kInvalidArgument, "the path is not acceptable"));
    case 405:
      return problem(HttpError(405, Code::kUnimplemented, fmt::format("{} is not allowed here", method())));
    case 501:
      return problem(Error(Code::kUnimplemented, "the method is not known"));
    default:
      return problem(Error(Code::kNotFound, "nothing is served at this path"));
  }
}

void* Exchange::find_local(const void* tag) noexcept {
  for (const internal::Local& local : state_->locals) {
    if (local.tag == tag) return local.object;
  }
  return nullptr;
}

void Exchange::set_local(const void* tag, void* object, void (*destroy)(void*)) {
  for (internal::Local& local : state_->locals) {
    if (local.tag != tag) continue;
    local.destroy(local.object);
    local.object = object;
    return;
  }
  try {
    state_->locals.push_back({tag, object, destroy});
  } catch (...) {
    destroy(object);
    throw;
  }
}

}  // namespace degu::http
