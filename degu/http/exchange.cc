#include <degu/http/cookie.h>
#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/exchange_state.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/form_data.h>
#include <degu/http/internal/media_type.h>
#include <degu/http/internal/response_fields.h>
#include <degu/net/tls.h>
#include <fmt/format.h>

#include <algorithm>
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
  for (const std::string_view framing : {"content-length", "transfer-encoding", "connection", "date",
                                         "keep-alive", "proxy-connection", "upgrade", "trailer"}) {
    if (internal::equals_ignoring_case(name, framing)) return true;
  }
  return false;
}

// The value without the white space around it, which is no part of it (RFC 9110 section 5.5), and which HTTP/2 forbids (RFC
// 9113 section 8.2.1).
std::string_view checked_value(std::string_view name, std::string_view value) {
  if (!internal::is_token(name)) throw Error(Code::kInternal, "a response header name is not a token");
  if (!internal::is_field_value(value)) {
    throw Error(Code::kInternal, fmt::format("the response header {} has control characters", name));
  }
  if (is_framing_field(name)) throw Error(Code::kInternal, fmt::format("{} is set by the server", name));
  return internal::trim(value);
}

// The characters that a URI reference is made of, RFC 3986 section 2; browsers read '\\' as '/', so it is not among them.
bool is_uri_reference(std::string_view text) noexcept {
  constexpr std::string_view kOthers = "-._~:/?#[]@!$&'()*+,;=%";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

}  // namespace

std::optional<net::TlsInfo> internal::ResponseSink::tls() const { return std::nullopt; }

net::TcpStream& internal::ResponseSink::switch_protocols(Exchange::State&, std::string_view, std::string&) {
  throw Error(Code::kUnimplemented, "this connection cannot switch protocols");
}

bool is_local_target(std::string_view target) noexcept {
  return is_uri_reference(target) && target.front() == '/' && !target.starts_with("//");
}

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
  forget_body();
}

void Exchange::State::forget_body() {
  stream_length.reset();
  if (!coded) return;
  coded = false;
  internal::remove_field(fields, "content-encoding");
}

void Exchange::State::reset() {
  body = {};
  body_read = 0;
  trailers.clear();
  if (body_decoded) {
    body_decoded = false;
    clear_bounded(decoded_body);
  }
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
  if (form) form.reset();
  discard_body();
  fields.clear();
  body_stream.reset();
  if (stream) stream.reset();
  response_trailers.clear();
  if (filter) filter.reset();
  stream_started = false;
  streamed_bytes = 0;
  switched = false;
  ends_at_drain = false;
  broken = false;
  request_id.clear();
  client_ip.clear();
  secure = false;
  clear_locals();
}

std::size_t internal::ResponseSink::read_body(Exchange::State& state, std::span<char> into) {
  const std::string_view left = state.body.substr(state.body_read);
  const std::size_t bytes = std::min(into.size(), left.size());
  std::copy_n(left.data(), bytes, into.data());
  state.body_read += bytes;
  return bytes;
}

std::size_t RequestStream::read(std::span<char> into) {
  Exchange::State& state = *exchange_.state_;
  return into.empty() ? 0 : state.sink->read_body(state, into);
}

RequestStream& Exchange::body_stream() {
  if (!state_->body_stream) state_->body_stream.reset(new RequestStream(*this));
  return *state_->body_stream;
}

std::string_view Exchange::trailer(std::string_view name) const noexcept {
  for (std::string_view left = state_->trailers; !left.empty();) {
    const std::string_view line = left.substr(0, left.find("\r\n"));
    const std::size_t colon = line.find(": ");
    if (internal::equals_ignoring_case(line.substr(0, colon), name)) return line.substr(colon + 2);
    left.remove_prefix(line.size() + 2);
  }
  return {};
}

void ResponseStream::add_trailer(std::string_view name, std::string_view value) {
  internal::append_field(exchange_.state_->response_trailers, name, checked_value(name, value));
}

void ResponseStream::write(std::string_view piece) {
  Exchange::State& state = *exchange_.state_;
  if (!state.stream_started) internal::start_stream(state);
  if (piece.empty() || internal::is_bodiless(state)) return;
  if (state.filter == nullptr) return internal::send_piece(state, piece);
  state.text.clear();
  state.filter->write(piece, state.text);
  internal::send_piece(state, state.text);
}

std::string_view Exchange::method() const noexcept { return state_->head->method(); }
std::string_view Exchange::path() const noexcept { return state_->head->path(); }
std::string_view Exchange::target() const noexcept { return state_->head->target(); }
std::string_view Exchange::host() const noexcept { return state_->head->host(); }
std::string_view Exchange::header(std::string_view name) const noexcept { return state_->head->header(name); }
std::vector<std::string_view> Exchange::header_values(std::string_view name) const {
  std::vector<std::string_view> values;
  for (std::size_t i = 0; i < state_->head->field_count(); ++i) {
    if (internal::equals_ignoring_case(state_->head->field_name(i), name)) {
      values.push_back(state_->head->field_value(i));
    }
  }
  return values;
}

std::optional<std::string_view> Exchange::find_cookie(std::string_view name) const {
  for (std::size_t i = 0; i < state_->head->field_count(); ++i) {
    if (!internal::equals_ignoring_case(state_->head->field_name(i), "cookie")) continue;
    if (const auto value = internal::find_cookie(state_->head->field_value(i), name)) return value;
  }
  return std::nullopt;
}

std::string_view Exchange::cookie(std::string_view name) const {
  return find_cookie(name).value_or(std::string_view());
}

std::string_view Exchange::body() const noexcept { return state_->body; }
std::string Exchange::peer() const { return state_->sink->peer(); }
bool Exchange::secure() const noexcept { return state_->secure || state_->sink->secure(); }
std::string_view Exchange::scheme() const noexcept { return secure() ? "https" : "http"; }
std::optional<net::TlsInfo> Exchange::tls() const { return state_->sink->tls(); }
Context Exchange::draining() const { return state_->sink->draining(); }
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
  if (!state_->query_parsed) {
    state_->query_text.clear();
    state_->query.clear();
    internal::parse_urlencoded(state_->head->query(), "the query", state_->query_text, state_->query);
    state_->query_parsed = true;
  }
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
    if (!type.empty() && !internal::is_json_type(type)) {
      throw HttpError(415, Code::kInvalidArgument, "the body must be application/json");
    }
    state_->document.emplace(degu::json::Document::parse(state_->body));
  }
  return state_->document->root();
}

const internal::FormData& Exchange::form_data() const {
  if (!state_->form) {
    auto form = std::make_unique<internal::FormData>();
    if (!state_->body.empty()) internal::parse_form(header("content-type"), state_->body, *form);
    state_->form = std::move(form);
  }
  return *state_->form;
}

std::span<const Param> Exchange::form_params() const { return form_data().fields; }

std::span<const UploadedPart> Exchange::form_files() const { return form_data().files; }

std::optional<std::string_view> Exchange::find_form(std::string_view name) const {
  for (const Param& param : form_params()) {
    if (param.name == name) return param.value;
  }
  return std::nullopt;
}

std::string_view Exchange::form(std::string_view name) const {
  return find_form(name).value_or(std::string_view());
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
  value = checked_value(name, value);
  if (internal::equals_ignoring_case(name, "content-type")) {
    state_->content_type = value;
    return;
  }
  internal::remove_field(state_->fields, name);
  internal::append_field(state_->fields, name, value);
}

void Exchange::add_header(std::string_view name, std::string_view value) {
  if (internal::equals_ignoring_case(name, "content-type")) return set_header(name, value);
  internal::append_field(state_->fields, name, checked_value(name, value));
}

std::string& Exchange::begin_body(int status, std::string_view content_type) {
  if (!internal::is_field_value(content_type)) throw Error(Code::kInternal, "bad content type");
  this->status(status);
  state_->has_body = true;
  state_->content_type = internal::trim(content_type);
  state_->shared_text.reset();
  state_->forget_body();
  clear_bounded(state_->text);
  return state_->text;
}

void Exchange::text(int status, std::string_view text) {
  begin_body(status, "text/plain; charset=utf-8").append(text);
}

void Exchange::html(int status, std::string_view text) {
  begin_body(status, "text/html; charset=utf-8").append(text);
}

void Exchange::redirect(int status, std::string_view location) {
  if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308) {
    throw Error(Code::kInternal, fmt::format("{} is no status of a redirect", status));
  }
  if (!is_uri_reference(location))
    throw Error(Code::kInternal, "the location of a redirect is no URI reference");
  set_header("Location", location);
  empty(status);
}

void Exchange::raw(int status, std::string_view content_type, std::string body) {
  begin_body(status, content_type) = std::move(body);
}

void Exchange::raw(int status, std::string_view content_type, std::shared_ptr<const std::string> body) {
  begin_body(status, content_type);
  state_->shared_text = std::move(body);
  if (state_->shared_text != nullptr) state_->shared_part = *state_->shared_text;
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

ResponseStream& Exchange::stream(int status, std::string_view content_type, uint64_t length) {
  ResponseStream& result = stream(status, content_type);
  state_->stream_length = length;
  return result;
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
