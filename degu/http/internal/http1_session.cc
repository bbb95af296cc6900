// One request at a time: read the head, find its route (whose limits count), read the body, run the handlers,
// write the response in one system call, begin again with what the buffer holds already (pipelining).
//
// Waits for the client run shielded from the context: they end by deadline or by interrupt(), so that a
// request whose context has ended still gets its answer. Waiting for the next request sets no timer: the
// server's reaper closes idle connections, which saves two timer operations a request. It may do so only
// while the connection is idle; whoever moves it away from there first, the reaper or the arriving request, decides.
//
// A handler that lasts, such as a WebSocket's, keeps its request, but not the buffers that other requests have made large:
// a request of a long-lived route is handed to a session of its own before anything refers to it.
#include <degu/context/cancel_scope.h>
#include <degu/http/internal/base64.h>
#include <degu/http/internal/chunked.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/http1_session.h>
#include <degu/http/internal/http2_session.h>
#include <degu/http/internal/refusals.h>
#include <degu/http/internal/status.h>
#include <degu/net/tls.h>
#include <degu/rt/park.h>
#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace degu::http::internal {
namespace {

// Up to here copying a body behind its head is cheaper than a second iovec.
constexpr std::size_t kCopyBody = 8 * 1024;
constexpr std::size_t kLingerBytes = 256 * 1024;
constexpr std::chrono::nanoseconds kLingerTime = std::chrono::milliseconds(500);

// How the body of a streamed response is framed.
bool is_chunked(const Exchange::State& state) noexcept {
  return state.head->minor_version() != 0 && !state.stream_length && !is_bodiless(state);
}

}  // namespace

Http1Session::End Http1Session::serve(Connection& connection) noexcept {
  connection_ = &connection;
  exchange_.sink = this;
  exchange_.max_body_bytes = env_.options.max_body_bytes;
  Next next = Next::kClose;
  try {
    next = own_ ? Next::kServe : first_bytes();
    while (next == Next::kServe) next = serve_one();
  } catch (...) {
    // Out of memory, nothing else can get here: this client has to go, the server stays.
    next = Next::kClose;
  }
  if (next == Next::kClose) reset();
  connection_ = nullptr;
  switch (next) {
    case Next::kIdle:
      return End::kIdle;
    case Next::kHttp2:
      return End::kHttp2;
    case Next::kLasting:
      return End::kLasting;
    default:
      return End::kClose;
  }
}

// Whatever happens: the session goes back to its pool.
struct Http1Session::Reset {
  ~Reset() { session.reset(); }
  Http1Session& session;
};

LastingRequest Http1Session::take_lasting() {
  const Reset reset{*this};
  const std::string_view input = buffer_.view();
  return {std::string(input.substr(0, parser_.consumed())), std::string(input.substr(parser_.consumed()))};
}

std::string Http1Session::take_input() {
  const Reset reset{*this};
  take_more();
  return std::string(buffer_.view());
}

std::optional<net::TlsInfo> Http1Session::tls() const { return net::tls_info(connection_->stream()); }

void Http1Session::reset() {
  exchange_.reset();
  parser_.reset();
  buffer_.consume(buffer_.size());
  more_.consume(more_.size());
  body_.reset();
}

Http1Session::Next Http1Session::serve_one() {
  if (const Next next = read_head(); next != Next::kServe) return next;
  exchange_.head = &parser_.head();
  find_route(env_.table, exchange_);
  if (wants_own_session()) return Next::kLasting;
  routed_base_ = buffer_.data();
  if (take_body() == Next::kClose) return Next::kClose;
  if (upgraded_to_http2()) return Next::kHttp2;
  connection_->count_request();
  run_exchange(exchange_);
  if (exchange_.switched) {
    stream().set_read_deadline(kNever);
    linger();
    return Next::kClose;
  }
  const bool unread = body_ && !body_->done;
  // What the head of a streamed answer has said is kept to.
  const bool goes_on = exchange_.stream_started ? keep_alive_ : exchange_.head->keep_alive() && may_go_on();
  keep_alive_ = goes_on && !unread && !exchange_.broken;
  if ((exchange_.stream_started ? finish_stream() : respond()) == Next::kClose) {
    if (unread && !exchange_.broken) linger();
    return Next::kClose;
  }
  if (connection_->context().done()) return Next::kClose;
  exchange_.reset();
  parser_.reset();
  buffer_.consume(request_bytes_);
  body_.reset();
  take_more();
  return Next::kServe;
}

bool Http1Session::wants_own_session() const noexcept {
  const RequestHead& head = parser_.head();
  return !own_ && exchange_.route != nullptr && exchange_.route->options.long_lived && !head.chunked() &&
         head.content_length() == 0;
}

// --- Reading
// -----------------------------------------------------------------------------------------------------------

Http1Session::Next Http1Session::fill(TimePoint deadline) {
  const std::span<char> room = buffer_.make_room();
  const Shield shield;
  const net::IoResult result = stream().read(room, deadline);
  read_error_ = result.error;
  if (result.bytes == 0) return Next::kClose;
  buffer_.commit(result.bytes);
  return Next::kServe;
}

// While the server drains, an answer is the last one, unless the next request has come already.
bool Http1Session::may_go_on() const noexcept {
  return !env_.draining.load(std::memory_order_relaxed) || buffer_.size() > request_bytes_;
}

// The connection is idle, or has been closed while it was.
Http1Session::Next Http1Session::first_bytes() {
  if (fill(kNever) == Next::kClose) return Next::kClose;
  return connection_->resume() ? Next::kServe : Next::kClose;
}

Http1Session::Next Http1Session::wait_for_request() {
  connection_->rest();
  if (env_.closing.load()) return Next::kClose;
  return Next::kIdle;
}

Http1Session::Next Http1Session::read_head() {
  exchange_.head = nullptr;
  if (buffer_.size() == 0) {
    if (const Next next = wait_for_request(); next != Next::kServe) return next;
  }
  TimePoint deadline = kNever;
  for (;;) {
    const bool preface = may_be_http2();
    if (preface && buffer_.size() >= Http2Session::kPreface.size()) return Next::kHttp2;
    const ParseState parsed = preface ? ParseState::kIncomplete : parser_.parse(buffer_.view());
    if (parsed == ParseState::kDone) return Next::kServe;
    if (parsed == ParseState::kError) {
      const int status = parser_.error_status();
      return refuse(status, status >= 500 ? Code::kUnimplemented : Code::kInvalidArgument,
                    parser_.error_reason());
    }
    if (deadline == kNever) deadline = after_delay(now(), env_.options.header_timeout);
    if (fill(deadline) == Next::kClose) {
      if (read_error_ == ETIMEDOUT)
        return refuse(408, Code::kDeadlineExceeded, "the request head took too long");
      return Next::kClose;
    }
  }
}

// Prior knowledge (RFC 9113 section 3.3): all that has come is the beginning of a preface, or begins with one.
bool Http1Session::may_be_http2() const noexcept {
  const std::string_view input = buffer_.view();
  constexpr std::string_view kPreface = Http2Session::kPreface;
  return input.front() == 'P' && connection_->requests() == 0 &&
         input.substr(0, kPreface.size()) == kPreface.substr(0, input.size());
}

// RFC 7540 section 3.2, for clients that ask for it; a request with a body is answered in HTTP/1.1, as is a faulty one.
bool Http1Session::upgraded_to_http2() {
  const RequestHead& head = parser_.head();
  if (!head.has_upgrade() || connection_->secured || head.minor_version() == 0 || !exchange_.body.empty())
    return false;
  bool asked = false;
  each_list_element(head.header("upgrade"),
                    [&](std::string_view protocol) { asked = asked || protocol == "h2c"; });
  int named = 0;
  each_list_element(head.header("connection"), [&](std::string_view option) {
    named += equals_ignoring_case(option, "upgrade") || equals_ignoring_case(option, "http2-settings");
  });
  const std::optional<std::string> settings = from_base64url(head.header("http2-settings"));
  if (!asked || named != 2 || !settings) return false;
  auto http2 = std::make_shared<Http2Session>(env_);
  if (!http2->upgrade(*connection_, *settings, head)) return false;
  if (!send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", {}))
    return false;
  connection_->http2 = std::move(http2);
  buffer_.consume(request_bytes_);
  return true;
}

// Progress has to come within io_timeout, and behind that keep up the least rate.
TimePoint Http1Session::body_deadline(TimePoint start, std::size_t received) const noexcept {
  const auto rate = std::max<std::size_t>(env_.options.min_bytes_per_second, 1);
  const auto earned = std::chrono::seconds(received / rate);
  return std::min(after_delay(now(), env_.options.io_timeout),
                  after_delay(start, env_.options.io_timeout + earned));
}

Http1Session::Next Http1Session::refuse_body(uint64_t limit) {
  return refuse(413, Code::kOutOfRange, fmt::format("the body is longer than {} bytes", limit));
}

Http1Session::Next Http1Session::take_body() {
  const RequestHead& head = parser_.head();
  const std::size_t head_bytes = parser_.consumed();
  request_bytes_ = head_bytes;
  if (!head.chunked() && head.content_length() == 0) return Next::kServe;
  const uint64_t limit = exchange_.body_limit();
  if (head.content_length() > limit) {
    return refuse_body(limit);
  }
  if (exchange_.route != nullptr && exchange_.route->options.stream_body) {
    begin_body_stream(head_bytes, limit);
    return Next::kServe;
  }
  if (head.expects_continue() && buffer_.size() == head_bytes) {
    if (exchange_.route == nullptr) {
      // The answer is known and the body not on its way yet: it can be spared.
      run_exchange(exchange_);
      keep_alive_ = false;
      return respond();
    }
    if (!send("HTTP/1.1 100 Continue\r\n\r\n", {})) return Next::kClose;
  }
  return head.chunked() ? read_chunked_body(head_bytes, limit) : read_sized_body(head_bytes);
}

Http1Session::Next Http1Session::read_sized_body(std::size_t head_bytes) {
  const auto length = static_cast<std::size_t>(parser_.head().content_length());
  const TimePoint start = buffer_.size() < head_bytes + length ? now() : kNever;
  while (buffer_.size() < head_bytes + length) {
    if (fill(body_deadline(start, buffer_.size())) == Next::kClose) {
      if (read_error_ == ETIMEDOUT)
        return refuse(408, Code::kDeadlineExceeded, "the request body took too long");
      return Next::kClose;
    }
  }
  exchange_.body = buffer_.view().substr(head_bytes, length);
  request_bytes_ = head_bytes + length;
  rebase_exchange();
  return Next::kServe;
}

// The body is decoded where it lies: behind the head stands what is decoded, behind that what is not read
// yet.
Http1Session::Next Http1Session::read_chunked_body(std::size_t head_bytes, uint64_t limit) {
  ChunkedDecoder decoder(limit);
  const TimePoint start = now();
  std::size_t body = 0;
  for (;;) {
    char* at = buffer_.data() + head_bytes + body;
    const ParseState state = decoder.decode(at, buffer_.size() - head_bytes - body, at);
    buffer_.erase(head_bytes + body + decoder.produced(), decoder.consumed() - decoder.produced());
    body += decoder.produced();
    if (state == ParseState::kError) {
      const Code code = decoder.error_status() == 413 ? Code::kOutOfRange : Code::kInvalidArgument;
      return refuse(decoder.error_status(), code, decoder.error_reason());
    }
    if (state == ParseState::kDone) break;
    if (fill(body_deadline(start, body)) == Next::kClose) {
      if (read_error_ == ETIMEDOUT)
        return refuse(408, Code::kDeadlineExceeded, "the request body took too long");
      return Next::kClose;
    }
  }
  exchange_.body = buffer_.view().substr(head_bytes, body);
  exchange_.trailers = decoder.trailers();
  request_bytes_ = head_bytes + body;
  rebase_exchange();
  return Next::kServe;
}

void Http1Session::begin_body_stream(std::size_t head_bytes, uint64_t limit) {
  const RequestHead& head = parser_.head();
  BodyStream& body = body_.emplace();
  if (head.chunked()) {
    body.decoder.emplace(limit);
  } else {
    body.left = head.content_length();
  }
  body.at = head_bytes;
  body.start = now();
  body.wants_continue = head.expects_continue() && buffer_.size() == head_bytes;
}

// What came behind the request belongs to the next one.
void Http1Session::take_more() {
  while (more_.size() > 0) {
    const std::span<char> room = buffer_.make_room();
    const std::size_t bytes = std::min(room.size(), more_.size());
    std::memcpy(room.data(), more_.data(), bytes);
    buffer_.commit(bytes);
    more_.consume(bytes);
  }
}

std::size_t Http1Session::read_body(Exchange::State& state, std::span<char> into) {
  if (!body_) return ResponseSink::read_body(state, into);
  if (body_->done) return 0;
  if (std::exchange(body_->wants_continue, false) && !send("HTTP/1.1 100 Continue\r\n\r\n", {}))
    throw Error(Code::kUnavailable, "the client has closed the connection");
  const std::size_t bytes = body_->decoder ? read_chunked_piece(into) : read_sized_piece(into);
  request_bytes_ = body_->at;
  return bytes;
}

std::size_t Http1Session::read_sized_piece(std::span<char> into) {
  BodyStream& body = *body_;
  into = into.first(static_cast<std::size_t>(std::min<uint64_t>(into.size(), body.left)));
  const std::string_view here = buffer_.view().substr(body.at, into.size());
  std::size_t bytes = here.size();
  if (bytes != 0) {
    std::memcpy(into.data(), here.data(), bytes);
    body.at += bytes;
  } else {
    bytes = receive_body(into);
  }
  body.left -= bytes;
  body.done = body.left == 0;
  return bytes;
}

std::size_t Http1Session::read_chunked_piece(std::span<char> into) {
  BodyStream& body = *body_;
  while (true) {
    const bool in_buffer = body.at < buffer_.size();
    const std::string_view input = in_buffer ? buffer_.view().substr(body.at) : more_.view();
    const ParseState state =
        body.decoder->decode(input.data(), std::min(input.size(), into.size()), into.data());
    if (in_buffer) {
      body.at += body.decoder->consumed();
    } else {
      more_.consume(body.decoder->consumed());
    }
    if (state == ParseState::kError) {
      const int status = body.decoder->error_status();
      throw HttpError(status, status == 413 ? Code::kOutOfRange : Code::kInvalidArgument,
                      std::string(body.decoder->error_reason()));
    }
    body.done = state == ParseState::kDone;
    if (body.done) exchange_.trailers = body.decoder->trailers();
    if (body.decoder->produced() != 0 || body.done) return body.decoder->produced();
    if (body.at == buffer_.size() && more_.size() == 0) more_.commit(receive_body(more_.make_room()));
  }
}

std::size_t Http1Session::receive_body(std::span<char> into) {
  const net::IoResult result = stream().read(into, body_deadline(body_->start, body_->received));
  body_->received += result.bytes;
  if (result.bytes != 0) return result.bytes;
  if (result.error == ECANCELED) rt::throw_interrupted();
  if (result.error == ETIMEDOUT)
    throw HttpError(408, Code::kDeadlineExceeded, "the request body took too long");
  throw Error(Code::kUnavailable, "the client has closed the connection");
}

// The buffer may have moved while the body was read: views that routing took from the head are taken again.
void Http1Session::rebase_exchange() {
  parser_.head().rebase(buffer_.data());
  if (buffer_.data() == routed_base_ || exchange_.params.empty() || !exchange_.decoded_path.empty()) return;
  exchange_.params.clear();
  find_route(env_.table, exchange_);
}

// --- Writing
// -----------------------------------------------------------------------------------------------------------

bool Http1Session::send(std::string_view head, std::string_view body) {
  const std::size_t bytes = head.size() + body.size();
  const auto rate = std::max<std::size_t>(env_.options.min_bytes_per_second, 1);
  const TimePoint deadline = after_delay(now(), env_.options.io_timeout + std::chrono::seconds(bytes / rate));
  const Shield shield;
  if (body.empty()) return stream().write({head.data(), head.size()}, deadline).error == 0;
  const std::array<iovec, 2> parts{
      {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(body.data()), body.size()}}};
  return stream().writev(parts, deadline).error == 0;
}

Http1Session::Next Http1Session::respond() {
  out_.clear();
  HeadOptions options;
  options.date = date_.line();
  options.keep_alive = keep_alive_;
  options.http10 = exchange_.head != nullptr && exchange_.head->minor_version() == 0;
  append_response_head(out_, exchange_, options);
  std::string_view body;
  if (exchange_.head == nullptr || !is_bodiless(exchange_)) body = exchange_.response_body();
  if (body.size() <= kCopyBody) {
    out_.append(body);
    body = {};
  }
  return send(out_, body) && keep_alive_ ? Next::kServe : Next::kClose;
}

void Http1Session::note_refusal(int status, std::string_view reason) noexcept {
  RequestLine line = first_line(buffer_.view());
  if (exchange_.head != nullptr) {
    exchange_.head->rebase(buffer_.data());  // it may have moved while a body was read
    line = {exchange_.head->method(), exchange_.head->path()};
  }
  const std::string peer = this->peer();
  env_.refusals.note({.cause = cause_of(status),
                      .status = status,
                      .method = line.method,
                      .path = line.target,
                      .reason = reason,
                      .peer = peer});
}

// A request that cannot be trusted or finished: answer, then close, since where the next one starts is
// unknown.
Http1Session::Next Http1Session::refuse(int status, Code code, std::string_view detail) {
  note_refusal(status, detail);
  connection_->count_request();
  exchange_.head = nullptr;
  answer_problem(exchange_, status, code, detail, {});
  keep_alive_ = false;
  respond();
  linger();
  return Next::kClose;
}

// Closing with unread input makes the kernel send a reset, which can overtake the answer. So read some of it
// away.
void Http1Session::linger() {
  stream().shutdown_write();
  const TimePoint deadline = after_delay(now(), kLingerTime);
  std::array<char, 4096> waste;
  std::size_t total = 0;
  const Shield shield;
  while (total < kLingerBytes && !env_.closing.load(std::memory_order_relaxed)) {
    const net::IoResult result = stream().read(waste, deadline);
    if (result.bytes == 0) return;
    total += result.bytes;
  }
}

void Http1Session::start_stream(Exchange::State& state) {
  const bool http10 = state.head->minor_version() == 0;
  const bool has_end = !http10 || state.stream_length.has_value();
  keep_alive_ = state.head->keep_alive() && has_end && may_go_on();
  out_.clear();
  HeadOptions options;
  options.date = date_.line();
  options.keep_alive = keep_alive_;
  options.http10 = http10;
  options.chunked = is_chunked(state);
  options.until_close = !options.chunked && !state.stream_length;
  append_response_head(out_, state, options);
}

// out_ holds the head until the first piece takes it along.
void Http1Session::write_piece(Exchange::State& state, std::string_view piece) {
  const bool chunked = is_chunked(state);
  if (chunked) fmt::format_to(std::back_inserter(out_), "{:x}\r\n", piece.size());
  const std::string_view tail = chunked ? "\r\n" : "";
  const std::array<iovec, 3> parts{{{out_.data(), out_.size()},
                                    {const_cast<char*>(piece.data()), piece.size()},
                                    {const_cast<char*>(tail.data()), tail.size()}}};
  const TimePoint deadline = after_delay(now(), env_.options.io_timeout);
  const net::IoResult result = stream().writev(parts, deadline);
  out_.clear();
  if (result.error == 0) return;
  state.broken = true;
  if (result.error == ECANCELED) rt::throw_interrupted();
  throw Error(Code::kUnavailable, result.error == ETIMEDOUT ? "the client reads too slowly"
                                                            : "the client has closed the connection");
}

net::TcpStream& Http1Session::switch_protocols(Exchange::State& state, std::string_view fields,
                                               std::string& input) {
  state.status = 101;
  state.switched = state.stream_started = true;  // whatever happens now, there can be no other answer
  out_.clear();
  out_.append("HTTP/1.1 101 Switching Protocols\r\n").append(date_.line()).append(fields);
  out_.append(state.fields).append("\r\n");
  if (!send(out_, {})) throw Error(Code::kUnavailable, "the client has closed the connection");
  input.assign(buffer_.view().substr(request_bytes_)).append(more_.view());
  more_ = ReadBuffer();
  return stream();
}

Http1Session::Next Http1Session::finish_stream() {
  if (exchange_.broken) return Next::kClose;
  if (is_chunked(exchange_)) {
    out_ += "0\r\n";
    if (exchange_.head->header("te") == "trailers") out_ += exchange_.response_trailers;
    out_ += "\r\n";
  }
  const bool sent = out_.empty() || send(out_, {});
  const bool until_close = exchange_.head->minor_version() == 0 && !exchange_.stream_length;
  return sent && keep_alive_ && !until_close ? Next::kServe : Next::kClose;
}

}  // namespace degu::http::internal
