// nghttp2 knows the frames, HPACK and the windows; it never waits, and is used under lock_ alone. One goroutine reads: it
// feeds what has come, workers run the handlers of the requests that are complete. Whoever gives the session something to send
// sees to it that a goroutine writes; that one runs after those that are ready already, so many answers share a write.
//
// A slot is taken until the handler has ended, not until the client resets the stream (CVE-2023-44487): kMaxHandlers run,
// some more wait, and beyond that the connection ends. A reset stream's context ends at once.
//
// A WebSocket (RFC 8441) is a stream whose handler reads its body while it comes and whose response is streamed: Http2Tunnel
// makes a connection of both. Its END_STREAM waits a moment for that of the client, as the close of a connection does.
//
// The connection's lock order: lock_, then whatever starting a goroutine takes.
#include <degu/context/cancel_scope.h>
#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/http2_session.h>
#include <degu/http/internal/http2_stream.h>
#include <degu/http/internal/http2_tunnel.h>
#include <degu/http/internal/refusals.h>
#include <degu/http/server.h>
#include <degu/net/tls.h>
#include <degu/rt/run.h>
#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

namespace degu::http::internal {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kWriteBytes = 64 * 1024;    // gathered for one write
constexpr std::size_t kPendingPiece = 64 * 1024;  // of a streamed response, before its handler waits
constexpr std::size_t kMaxHandlers = 100;         // at once, and streams that a client may open
constexpr std::size_t kMaxQueued = 4 * kMaxHandlers;
constexpr int32_t kConnectionWindow = 1 << 20;
constexpr std::size_t kMaxBuffered = 4 << 20;  // bytes of bodies, before a client gets no more room for them
constexpr std::size_t kMaxTrailers = 8 * 1024;
constexpr std::size_t kMaxSpare = kMaxHandlers;  // none while the connection is idle
constexpr std::chrono::nanoseconds kTick = std::chrono::milliseconds(250);  // between looks at who stalls
constexpr std::chrono::nanoseconds kSecondGoodbye = std::chrono::seconds(1);
constexpr std::array<uint8_t, 8> kGoodbyePing{'g', 'o', 'o', 'd', 'b', 'y', 'e', '?'};
constexpr std::chrono::nanoseconds kLingerTime = std::chrono::milliseconds(500);
constexpr std::size_t kLingerBytes = 256 * 1024;

std::span<const uint8_t> bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
std::string_view text_of(const uint8_t* data, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(data), size};
}

// nghttp2 takes no const, but copies.
nghttp2_nv field(std::string_view name, std::string_view value) noexcept {
  return {const_cast<uint8_t*>(bytes_of(name).data()), const_cast<uint8_t*>(bytes_of(value).data()),
          name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// Lines of "Name: value\r\n".
void append_fields(std::vector<nghttp2_nv>& fields, std::string_view lines) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    const std::size_t colon = line.find(": ");
    fields.push_back(field(line.substr(0, colon), line.substr(colon + 2)));
    lines.remove_prefix(line.size() + 2);
  }
}

constexpr const char* kNoWebSocket = "this is not served as a WebSocket";

// A 2xx would tell a client that it has its WebSocket (RFC 8441 section 5, RFC 9110 section 9.3.6).
bool is_misread(const Http2Request& request, const Exchange::State& state) noexcept {
  return request.is_websocket() && !state.switched && state.status / 100 == 2;
}

bool has_body(const Exchange::State& state) noexcept { return state.head == nullptr || !is_bodiless(state); }

}  // namespace

// --- What nghttp2 calls, with lock_ held

struct Http2Session::Callbacks {
  static Http2Session& self(void* user) noexcept { return *static_cast<Http2Session*>(user); }
  static Http2Stream* stream(nghttp2_session* session, int32_t id) noexcept {
    return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  static bool is_request(const nghttp2_frame* frame) noexcept {
    return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
  }
  // Nothing may be thrown through C.
  template <class F>
  static int guarded(F f) noexcept {
    try {
      f();
      return 0;
    } catch (...) {
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
  }

  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (!is_request(frame)) return 0;
    return guarded([&] {
      Http2Stream& opened = self(user).open_stream(frame->hd.stream_id);
      nghttp2_session_set_stream_user_data(session, opened.id, &opened);
    });
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void*) {
    Http2Stream* const at = stream(session, frame->hd.stream_id);
    if (at == nullptr) return 0;
    return guarded([&] {
      const std::string_view field_name = text_of(name, name_size);
      const std::string_view field_value = text_of(value, value_size);
      if (is_request(frame)) return at->request.add(field_name, field_value);
      // nghttp2 lets no pseudo-fields and no fields of a connection through here.
      if (at->trailers.size() + field_name.size() + field_value.size() > kMaxTrailers) return;
      at->trailers.append(field_name).append(": ").append(field_value).append("\r\n");
    });
  }

  static int on_data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size,
                     void* user) {
    Http2Stream* const at = stream(session, id);
    if (at == nullptr)
      return nghttp2_session_consume(session, id, size) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    return guarded([&] { self(user).add_body(*at, text_of(data, size)); });
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Http2Session& owner = self(user);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    Http2Stream* const at = stream(session, frame->hd.stream_id);
    return guarded([&] {
      switch (frame->hd.type) {
        case NGHTTP2_HEADERS:
          if (at != nullptr && is_request(frame)) owner.head_complete(*at, ends);
          if (at != nullptr && ends) owner.input_complete(*at);
          break;
        case NGHTTP2_DATA:
          if (frame->hd.length == 0 && !ends) owner.glitch(10);
          if (at != nullptr && ends) owner.input_complete(*at);
          break;
        case NGHTTP2_RST_STREAM:
          owner.glitch(5);
          break;
        case NGHTTP2_PING:
          if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) owner.heard(frame->ping.opaque_data);
          owner.glitch(1);
          break;
        default:
          owner.glitch(1);
      }
    });
  }

  static int on_bad_frame(nghttp2_session*, const nghttp2_frame*, int, void* user) {
    self(user).glitch(10);
    return 0;
  }

  static int on_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_DATA) self(user).glitches_.earn();
    if (frame->hd.type == NGHTTP2_GOAWAY) self(user).goaway_sent(frame->goaway.error_code);
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR) {
      self(user).note_refusal(frame->rst_stream.error_code, stream(session, frame->hd.stream_id));
      self(user).glitch(5);
    }
    // The answer came before the end of the request, of which no more is wanted (section 8.1).
    Http2Stream* const at = ends ? stream(session, frame->hd.stream_id) : nullptr;
    if (at == nullptr || at->input_done) return 0;
    if (at->exchange.switched) {
      at->lingers = true;
      at->progress_at = self(user).time_;
    } else {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, at->id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  static int on_close(nghttp2_session* session, int32_t id, uint32_t, void* user) {
    if (Http2Stream* const at = stream(session, id); at != nullptr) self(user).stream_closed(*at);
    return 0;
  }

  static ssize_t on_read(nghttp2_session*, int32_t, uint8_t* into, size_t size, uint32_t* flags,
                         nghttp2_data_source* source, void* user) {
    auto& at = *static_cast<Http2Stream*>(source->ptr);
    return self(user).read_body(at, {reinterpret_cast<char*>(into), size}, *flags);
  }

  static const nghttp2_session_callbacks* all() {
    static const nghttp2_session_callbacks* const callbacks = [] {
      nghttp2_session_callbacks* made = nullptr;
      if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(made, on_header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, on_bad_frame);
      nghttp2_session_callbacks_set_on_frame_send_callback(made, on_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
      return made;
    }();
    return callbacks;
  }

  static const nghttp2_option* limits() {
    static const nghttp2_option* const options = [] {
      nghttp2_option* made = nullptr;
      if (nghttp2_option_new(&made) != 0) throw std::bad_alloc();
      nghttp2_option_set_no_auto_window_update(made, 1);
      nghttp2_option_set_no_closed_streams(made, 1);
      nghttp2_option_set_stream_reset_rate_limit(made, 100, 33);
      nghttp2_option_set_max_continuations(made, 8);
      nghttp2_option_set_max_outbound_ack(made, 1000);
      nghttp2_option_set_max_settings(made, 32);
      return made;
    }();
    return options;
  }
};

Http2Session::Http2Session(const ConnectionEnv& env) : env_(env) {
  if (nghttp2_session_server_new2(&session_, Callbacks::all(), this, Callbacks::limits()) != 0)
    throw std::bad_alloc();
  const std::array<nghttp2_settings_entry, 3> settings{
      {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxHandlers},
       {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(env.options.head.max_header_bytes)}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Http2Session::~Http2Session() { nghttp2_session_del(session_); }

std::optional<net::TlsInfo> Http2Session::tls() const { return net::tls_info(connection_->stream()); }
std::optional<net::TlsInfo> Http2Stream::tls() const { return session.tls(); }

void Http2Stream::start_stream(Exchange::State& state) {
  if (is_misread(request, state)) {
    state.stream_started = false;
    throw HttpError(501, Code::kUnimplemented, kNoWebSocket);
  }
  session.send_head(*this);
}

net::TcpStream& Http2Stream::switch_protocols(Exchange::State& state, std::string_view fields, std::string&) {
  state.status = 200;
  state.switched = state.stream_started = true;  // whatever happens now, there can be no other answer
  state.fields += fields;
  tunnel = net::TcpStream(net::Socket(new Http2Tunnel(*this)));
  if (!session.send_head(*this)) throw Error(Code::kUnavailable, "the client has closed the stream");
  return tunnel;
}

void Http2Session::glitch(uint32_t cost) noexcept {
  if (!glitches_.spend(cost)) nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

// Of a stream, when RST_STREAM is sent, as nobody else knows of all that nghttp2 finds wrong. What a failing handler or a slow
// reader comes to is no refusal.
void Http2Session::note_refusal(uint32_t code, const Http2Stream* stream) noexcept {
  if (code == NGHTTP2_NO_ERROR || code == NGHTTP2_CANCEL || code == NGHTTP2_INTERNAL_ERROR) return;
  const bool flood = code == NGHTTP2_REFUSED_STREAM || code == NGHTTP2_ENHANCE_YOUR_CALM;
  const std::string peer = this->peer();
  Refusal refusal{.cause = flood ? RefusalCause::kHttp2Flood : RefusalCause::kHttp2Error,
                  .reason = nghttp2_http2_strerror(code),
                  .peer = peer};
  if (stream != nullptr) {
    refusal.method = stream->request.method();
    refusal.path = stream->request.path();
  }
  env_.refusals.note(refusal);
}

// Of the connection, once: when GOAWAY is sent, or when nghttp2 gives it up without.
void Http2Session::note_end(uint32_t code) noexcept {
  if (code == NGHTTP2_NO_ERROR || std::exchange(end_noted_, true)) return;
  // INTERNAL_ERROR is what nghttp2 says to too many resets.
  const bool flood = code == NGHTTP2_ENHANCE_YOUR_CALM || code == NGHTTP2_INTERNAL_ERROR;
  const std::string peer = this->peer();
  env_.refusals.note({.cause = flood ? RefusalCause::kHttp2Flood : RefusalCause::kHttp2Error,
                      .reason = nghttp2_http2_strerror(code),
                      .peer = peer});
}

// Only now: a PING is sent before frames of other kinds, but has to be heard after this one.
void Http2Session::goaway_sent(uint32_t code) noexcept {
  note_end(code);
  if (goodbye_ == Goodbye::kFirst) nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kGoodbyePing.data());
}

void Http2Session::heard(const uint8_t* ping) noexcept {
  if (goodbye_ == Goodbye::kFirst && std::memcmp(ping, kGoodbyePing.data(), kGoodbyePing.size()) == 0)
    goodbye_ = Goodbye::kHeard;
}

// --- Requests

bool Http2Session::upgrade(Connection& connection, std::string_view settings, const RequestHead& head) {
  connection_ = &connection;
  const Guard guard(lock_);
  const auto payload = bytes_of(settings);
  const bool bodiless = head.method_id() == MethodId::kHead;
  if (nghttp2_session_upgrade2(session_, payload.data(), payload.size(), bodiless ? 1 : 0, nullptr) != 0)
    return false;
  time_ = now();
  Http2Stream& stream = open_stream(1);
  nghttp2_session_set_stream_user_data(session_, stream.id, &stream);
  stream.request.take(head);
  head_complete(stream, true);
  input_complete(stream);
  return true;
}

Http2Stream& Http2Session::open_stream(int32_t id) {
  if (spare_.empty()) spare_.push_back(std::make_unique<Http2Stream>(*this, env_.options.head));
  Http2Stream& stream = *spare_.back();
  stream.id = id;
  stream.exchange.max_body_bytes = env_.options.max_body_bytes;
  stream.index = streams_.size();
  stream.started_at = stream.progress_at = time_;
  streams_.push_back(std::move(spare_.back()));
  spare_.pop_back();
  return stream;
}

// As Http1Session does for HTTP/1.1: what is known to fail need not be read.
void Http2Session::head_complete(Http2Stream& stream, bool ends) {
  stream.head_done = true;
  connection_->count_request();
  if (!stream.request.finish()) {
    const int status = stream.request.error_status();
    return refuse(stream, status, status >= 500 ? Code::kUnimplemented : Code::kInvalidArgument,
                  stream.request.error_reason());
  }
  RequestHead& head = stream.request.head();
  const bool websocket = stream.request.is_websocket();
  if (websocket && ends)
    return refuse(stream, 400, Code::kInvalidArgument, "a WebSocket begins with the end of its stream");
  stream.exchange.head = &head;
  find_route(env_.table, stream.exchange);
  const Route* const route = stream.exchange.route;
  if (head.content_length() > stream.exchange.body_limit()) return refuse_body(stream);
  if (head.expects_continue()) {
    const nghttp2_nv status = field(":status", "100");
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, &status, 1, nullptr);
  }
  stream.streams_body = websocket || (route != nullptr && route->options.stream_body);
  if (stream.streams_body) make_ready(stream);
}

void Http2Session::refuse_body(Http2Stream& stream) {
  refuse(stream, 413, Code::kOutOfRange,
         fmt::format("the body is longer than {} bytes", stream.exchange.body_limit()));
}

void Http2Session::refuse(Http2Stream& stream, int status, Code code, std::string_view detail) {
  const std::string peer = this->peer();
  env_.refusals.note({.cause = cause_of(status),
                      .status = status,
                      .method = stream.request.method(),
                      .path = stream.request.path(),
                      .reason = detail,
                      .peer = peer});
  stream.exchange.head = nullptr;
  release_body(stream);
  answer_problem(stream.exchange, status, code, detail, {});
  submit_head(stream, false);
}

void Http2Session::add_body(Http2Stream& stream, std::string_view bytes) {
  stream.progress_at = time_;
  stream.moved += bytes.size();
  if (stream.streams_body && !stream.closed) {
    stream.body += bytes;  // no more than the window, which grows as the handler reads
    stream.changed.broadcast();
    return;
  }
  nghttp2_session_consume_connection(session_, bytes.size());
  if (stream.answered || stream.running) {
    nghttp2_session_consume_stream(session_, stream.id, bytes.size());
    return;
  }
  if (stream.body.size() + bytes.size() > stream.exchange.body_limit()) return refuse_body(stream);
  stream.body += bytes;
  buffered_ += bytes.size();
  stream.withheld += bytes.size();
  withheld_ += bytes.size();
  buffered_ <= kMaxBuffered ? give_window(stream) : give_windows();
}

void Http2Session::give_window(Http2Stream& stream) noexcept {
  if (stream.withheld == 0) return;
  if (!stream.closed) nghttp2_session_consume_stream(session_, stream.id, stream.withheld);
  withheld_ -= std::exchange(stream.withheld, 0);
}

// Behind kMaxBuffered a body that has begun may send what its own window allows still. Then the oldest goes on, as bodies that
// wait for each other would wait for ever, and that only if no request is complete, since the end of its handler makes room.
void Http2Session::give_windows() noexcept {
  if (withheld_ == 0) return;
  Http2Stream* oldest = nullptr;
  for (const std::unique_ptr<Http2Stream>& stream : streams_) {
    if (buffered_ <= kMaxBuffered) {
      give_window(*stream);
    } else if (stream->body.empty() || stream->streams_body) {
      continue;
    } else if (stream->running) {
      return;
    } else if (oldest == nullptr || stream->id < oldest->id) {
      oldest = stream.get();
    }
  }
  if (oldest != nullptr) give_window(*oldest);
}

std::size_t Http2Session::read_piece(Http2Stream& stream, std::span<char> into) {
  Guard guard(lock_);
  const auto ready = [&] { return !stream.body.empty() || stream.input_done || stream.closed || broken_; };
  const auto rate = std::max<std::size_t>(env_.options.min_bytes_per_second, 1);
  const TimePoint earned =
      after_delay(stream.started_at, env_.options.io_timeout + std::chrono::seconds(stream.moved / rate));
  const TimePoint limit = std::min(after_delay(now(), env_.options.io_timeout), earned);
  if (!stream.changed.wait_until(guard, limit, ready))
    throw HttpError(408, Code::kDeadlineExceeded, "the request body took too long");
  if (stream.body.empty()) {
    if (!stream.input_done) throw Error(Code::kUnavailable, "the client has closed the stream");
    stream.exchange.trailers = stream.trailers;
    return 0;
  }
  const std::size_t bytes = std::min(into.size(), stream.body.size());
  stream.taken += bytes;
  if (stream.taken > stream.exchange.body_limit())
    throw HttpError(413, Code::kOutOfRange,
                    fmt::format("the body is longer than {} bytes", stream.exchange.body_limit()));
  return take_body(stream, into);
}

// What was taken makes room for more.
std::size_t Http2Session::take_body(Http2Stream& stream, std::span<char> into) noexcept {
  const std::size_t bytes = std::min(into.size(), stream.body.size());
  if (bytes == 0) return 0;
  std::memcpy(into.data(), stream.body.data(), bytes);
  stream.body.erase(0, bytes);
  nghttp2_session_consume_connection(session_, bytes);
  if (!stream.closed) nghttp2_session_consume_stream(session_, stream.id, bytes);
  want_write();
  return bytes;
}

void Http2Session::release_body(Http2Stream& stream) noexcept {
  if (stream.streams_body) {
    nghttp2_session_consume_connection(session_, stream.body.size());
    stream.body.clear();
    return;
  }
  buffered_ -= stream.body.size();
  stream.body.clear();
  give_window(stream);
  give_windows();
}

void Http2Session::input_complete(Http2Stream& stream) {
  stream.input_done = true;
  stream.changed.broadcast();
  if (stream.streams_body || stream.answered || stream.closed) return;
  stream.exchange.body = stream.body;
  stream.exchange.trailers = stream.trailers;
  make_ready(stream);
}

void Http2Session::make_ready(Http2Stream& stream) {
  stream.context = with_cancel(connection_->context());
  const std::lock_guard guard(ready_.lock);
  if (ready_.streams.size() == kMaxQueued) {
    nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  } else {
    stream.running = true;
    ready_.streams.push_back(&stream);
  }
}

// --- Handlers
//
// A worker runs one handler after another. Before each it sees to it that another worker comes if there is more to run, and
// else a writer if there is something to send: so if this handler waits, nothing waits for it, and if none does, a batch of
// requests costs two goroutines.

void Http2Session::start_worker() {
  {
    const std::lock_guard guard(ready_.lock);
    if (ready_.streams.empty() || ready_.worker_comes || ready_.running == kMaxHandlers) return;
    ready_.worker_comes = true;
  }
  work_.go([this] { work(); });
}

Http2Stream* Http2Session::take_ready(bool first) noexcept {
  const std::lock_guard guard(ready_.lock);
  if (first) {
    ready_.worker_comes = false;
  } else {
    --ready_.running;
  }
  if (ready_.streams.empty() || ready_.running == kMaxHandlers) return nullptr;
  Http2Stream* const stream = ready_.streams.front();
  ready_.streams.pop_front();
  ++ready_.running;
  return stream;
}

void Http2Session::work() noexcept {
  for (Http2Stream* stream = take_ready(true); stream != nullptr; stream = take_ready(false)) {
    start_worker();
    if (finished_.load() != nullptr) ensure_writer();
    if (!stream->closed.load(std::memory_order_relaxed)) {
      const ContextScope scope(stream->context->context);
      run_exchange(stream->exchange);
    }
    finish(*stream);
  }
  if (finished_.load() != nullptr) ensure_writer();
}

void Http2Session::finish(Http2Stream& stream) noexcept {
  stream.next_finished = finished_.load(std::memory_order_relaxed);
  // seq_cst: see write_out(). Pairs with the acquire in take_finished().
  while (!finished_.compare_exchange_weak(stream.next_finished, &stream)) {
  }
}

// With lock_ held: their answers are given to the session.
void Http2Session::take_finished() {
  Http2Stream* stream = finished_.exchange(nullptr, std::memory_order_acquire);
  while (stream != nullptr) {
    Http2Stream* const next = stream->next_finished;
    stream->running = false;
    if (!stream->closed) {
      answer(*stream);
    } else if (!over_) {
      recycle(*stream);
    }
    stream = next;
  }
}

// Its handler has ended.
void Http2Session::answer(Http2Stream& stream) {
  Exchange::State& state = stream.exchange;
  if (state.switched) {
    if (!stream.cut) return end_pieces(stream);
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
  } else if (!state.stream_started) {
    if (is_misread(stream.request, state)) answer_problem(state, 501, Code::kUnimplemented, kNoWebSocket, {});
    submit_head(stream, false);
  } else if (state.broken) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_INTERNAL_ERROR);
  } else {
    end_pieces(stream);
  }
}

void Http2Session::stream_closed(Http2Stream& stream) {
  stream.closed = true;
  if (stream.running) {
    stream.context->cancel();  // it is recycled when its handler has ended
  } else {
    return recycle(stream);
  }
  stream.changed.broadcast();
}

void Http2Session::wake_all() noexcept {
  for (const std::unique_ptr<Http2Stream>& stream : streams_) stream->changed.broadcast();
}

void Http2Session::recycle(Http2Stream& stream) {
  release_body(stream);
  std::unique_ptr<Http2Stream>& place = streams_[stream.index];
  std::unique_ptr<Http2Stream> done = std::move(place);
  if (&place != &streams_.back()) {
    place = std::move(streams_.back());
    place->index = done->index;
  }
  streams_.pop_back();
  if (spare_.size() == kMaxSpare) return;
  done->reset();
  spare_.push_back(std::move(done));
}

// --- Responses

// `length` behind the fields unless the body is streamed.
void Http2Session::submit_head(Http2Stream& stream, bool streamed) {
  const Exchange::State& state = stream.exchange;
  const bool body = has_body(state) && (streamed || !state.response_body().empty());
  const fmt::format_int status(state.status);
  const fmt::format_int length(state.stream_length.value_or(state.response_body().size()));
  constexpr std::size_t kDateAt = 6;  // behind "Date: "
  constexpr std::size_t kDateBytes = 29;
  std::vector<nghttp2_nv> fields;
  fields.reserve(16);
  fields.push_back(field(":status", {status.data(), status.size()}));
  fields.push_back(field("date", date_.line().substr(kDateAt, kDateBytes)));
  if (!state.content_type.empty()) fields.push_back(field("content-type", state.content_type));
  if ((!streamed || state.stream_length) && state.status != 204 && !(state.status == 304 && !state.has_body))
    fields.push_back(field("content-length", {length.data(), length.size()}));
  append_fields(fields, state.fields);
  nghttp2_data_provider provider{{.ptr = &stream}, Callbacks::on_read};
  const int result =
      nghttp2_submit_response(session_, stream.id, fields.data(), fields.size(), body ? &provider : nullptr);
  stream.answered = true;
  stream.progress_at = time_;
  if (result != 0) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_INTERNAL_ERROR);
}

void Http2Session::submit_trailers(const Http2Stream& stream) {
  std::vector<nghttp2_nv> fields;
  append_fields(fields, stream.exchange.response_trailers);
  nghttp2_submit_trailer(session_, stream.id, fields.data(), fields.size());
}

bool Http2Session::send_head(Http2Stream& stream) {
  const Guard guard(lock_);
  if (stream.closed) return false;
  submit_head(stream, true);
  want_write();
  return true;
}

std::ptrdiff_t Http2Session::read_body(Http2Stream& stream, std::span<char> into, uint32_t& flags) {
  const bool streamed = stream.exchange.stream_started;
  const std::string_view body = streamed ? std::string_view(stream.piece) : stream.exchange.response_body();
  const std::size_t bytes = std::min(into.size(), body.size() - stream.sent);
  if (bytes != 0) std::memcpy(into.data(), body.data() + stream.sent, bytes);
  stream.sent += bytes;
  stream.moved += bytes;
  stream.progress_at = time_;
  const bool all = stream.sent == body.size();
  if (streamed && all) {
    stream.piece.clear();
    stream.sent = 0;
    stream.changed.broadcast();
  }
  if (all && (!streamed || stream.ended)) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream.exchange.response_trailers.empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      submit_trailers(stream);
    }
  } else if (bytes == 0) {
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<std::ptrdiff_t>(bytes);
}

void Http2Session::add_piece(Http2Stream& stream, std::string_view piece) {
  stream.piece.erase(0, std::exchange(stream.sent, 0));
  stream.piece += piece;
  nghttp2_session_resume_data(session_, stream.id);
}

// No piece follows.
void Http2Session::end_pieces(Http2Stream& stream) noexcept {
  stream.ended = true;
  nghttp2_session_resume_data(session_, stream.id);
  want_write();
}

bool Http2Session::has_much_pending(const Http2Stream& stream) noexcept {
  return stream.piece.size() - stream.sent >= kPendingPiece;
}

void Http2Session::send_piece(Http2Stream& stream, std::string_view piece) {
  Guard guard(lock_);
  const auto gone = [&] { return stream.closed || broken_; };
  const auto taken = [&] { return gone() || !has_much_pending(stream); };
  bool in_time = true;
  try {
    if (!gone()) {
      add_piece(stream, piece);
      want_write();
      in_time = stream.changed.wait_until(guard, after_delay(now(), env_.options.io_timeout), taken);
    }
  } catch (...) {
    stream.exchange.broken = true;
    throw;
  }
  if (in_time && !gone()) return;
  stream.exchange.broken = true;
  throw Error(Code::kUnavailable,
              in_time ? "the client has closed the stream" : "the client reads too slowly");
}

void Http2Session::want_write() {
  if (!broken_ && nghttp2_session_want_write(session_) != 0) ensure_writer();
}

void Http2Session::ensure_writer() {
  if (!writing_.load() && !writing_.exchange(true)) work_.go([this] { write_out(); });
}

// What is to be sent next; false: nothing, at least for now.
bool Http2Session::gather(std::string& out) {
  out.clear();
  time_ = now();
  take_finished();
  const uint8_t* data = nullptr;
  ssize_t bytes = 0;
  while (!broken_ && out.size() < kWriteBytes && (bytes = nghttp2_session_mem_send(session_, &data)) > 0)
    out.append(text_of(data, static_cast<std::size_t>(bytes)));
  broken_ = broken_ || bytes < 0;
  return !out.empty() && !broken_;
}

void Http2Session::write_out() noexcept {
  const Shield shield;  // whoever asked for it: the connection's limits count
  const auto rate = std::max<std::size_t>(env_.options.min_bytes_per_second, 1);
  std::string out;
  Guard guard(lock_);
  do {
    while (gather(out)) {
      guard.unlock();
      const TimePoint deadline =
          after_delay(now(), env_.options.io_timeout + std::chrono::seconds(out.size() / rate));
      const bool sent = connection_->stream().write(out, deadline).error == 0;
      guard.lock();
      broken_ = broken_ || !sent;
    }
    // seq_cst: either who finishes a stream now sees that nobody writes, or this sees the stream.
    writing_.store(false);
  } while (finished_.load() != nullptr && !writing_.exchange(true));
  if (broken_) wake_all();
  // The reader has to look: the connection has failed, or everything is said.
  if (broken_ || is_over() || (goodbye_ == Goodbye::kLast && streams_.empty())) connection_->nudge();
}

// --- The connection

bool Http2Session::is_over() noexcept {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

// False: the connection is over.
bool Http2Session::feed(std::string_view bytes) {
  const Guard guard(lock_);
  time_ = now();
  const auto data = bytes_of(bytes);
  const ssize_t taken = nghttp2_session_mem_recv(session_, data.data(), data.size());
  if (taken < 0) note_end(taken == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
  want_write();
  return taken >= 0 && !broken_ && !is_over();
}

// Streams on which nothing moves. What a client owes: the rest of a head within header_timeout, a body and the reading of a
// response at the least rate.
void Http2Session::check_progress(TimePoint time) {
  const Guard guard(lock_);
  const ServerOptions& options = env_.options;
  const auto rate = std::max<std::size_t>(options.min_bytes_per_second, 1);
  for (std::size_t i = streams_.size(); i-- > 0;) {
    Http2Stream& stream = *streams_[i];
    if (stream.closed) continue;
    if (stream.request.is_websocket() && stream.running) continue;  // it has limits of its own
    if (stream.lingers) {
      if (time - stream.progress_at >= kLingerTime)
        nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_NO_ERROR);
      continue;
    }
    if (!stream.head_done) {
      if (time - stream.started_at >= options.header_timeout)
        nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
      continue;
    }
    const bool reads = !stream.input_done && !stream.answered && !stream.streams_body;
    const bool writes = stream.answered && (!stream.exchange.stream_started || !stream.piece.empty());
    const auto earned = options.io_timeout + std::chrono::seconds(stream.moved / rate);
    if (time - stream.progress_at < options.io_timeout && time - stream.started_at < earned) continue;
    if (reads) {
      refuse(stream, 408, Code::kDeadlineExceeded, "the request body took too long");
    } else if (writes && time - stream.progress_at >= options.io_timeout) {
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
    }
  }
  want_write();
}

// Two words: no more requests, please; then, when those under way have come, which was the last (RFC 9113 section 6.8). They
// have when the client answers a PING that went behind the first word. False: that was all.
bool Http2Session::go_on_draining(TimePoint time) {
  const Guard guard(lock_);
  if (goodbye_ == Goodbye::kNone) {
    nghttp2_submit_shutdown_notice(session_);
    goodbye_ = Goodbye::kFirst;
    goodbye_at_ = time + kSecondGoodbye;
  } else if (goodbye_ == Goodbye::kHeard || (goodbye_ == Goodbye::kFirst && time >= goodbye_at_)) {
    say_last();
  }
  want_write();
  return goodbye_ != Goodbye::kLast || !streams_.empty();
}

void Http2Session::say_last() noexcept {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  goodbye_ = Goodbye::kLast;
}

Http2Session::Read Http2Session::read_more(std::span<char> into, std::string_view& got) {
  bool idle = false;
  {
    const Guard guard(lock_);
    idle = streams_.empty() && !writing_.load() && goodbye_ == Goodbye::kNone;
    if (idle) spare_.clear();
  }
  if (idle) {
    connection_->rest();
    got = {};
    if (draining()) return connection_->resume() ? Read::kBytes : Read::kEnd;  // to say goodbye
    if (connection_->park()) return Read::kIdle;
    return first_bytes(into, got);
  }
  const net::IoResult result = connection_->stream().read(into, after_delay(now(), kTick));
  got = {into.data(), result.bytes};
  if (result.error == ETIMEDOUT) {
    connection_->stream().set_read_deadline(kNever);  // a nudge
    return Read::kBytes;
  }
  return result.bytes == 0 ? Read::kEnd : Read::kBytes;
}

Http2Session::Read Http2Session::first_bytes(std::span<char> into, std::string_view& got) {
  const net::IoResult result = connection_->stream().read(into, kNever);
  got = {into.data(), result.bytes};
  const bool nudged = result.error == ETIMEDOUT;
  if (nudged) connection_->stream().set_read_deadline(kNever);
  return (result.bytes != 0 || nudged) && connection_->resume() ? Read::kBytes : Read::kEnd;
}

Http2Session::End Http2Session::serve(Connection& connection,
                                      std::optional<std::string_view> first) noexcept {
  connection_ = &connection;
  const Shield shield;
  try {
    const auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
    const std::span<char> into(buffer.get(), kReadBytes);
    std::string_view got = first.value_or(std::string_view());
    Read read = first ? Read::kBytes : first_bytes(into, got);
    while (read == Read::kBytes && feed(got)) {
      start_worker();
      const TimePoint time = now();
      if (time >= next_check_) {
        next_check_ = time + kTick;
        check_progress(time);
      }
      if (draining() && !go_on_draining(time)) break;
      read = read_more(into, got);
    }
    if (read == Read::kIdle) return End::kIdle;
  } catch (...) {
    // Out of memory, nothing else can get here: this client has to go, the server stays.
  }
  wind_up();
  return End::kClose;
}

// No goroutine uses the session afterwards.
void Http2Session::wind_up() noexcept {
  {
    const Guard guard(lock_);
    over_ = true;  // nghttp2 has not closed these: they stay as long as it may ask for what they would send
    for (const std::unique_ptr<Http2Stream>& stream : streams_) {
      stream->closed = true;
      if (stream->running) stream->context->cancel();
    }
    if (draining() && goodbye_ != Goodbye::kLast) say_last();
    wake_all();
    want_write();
  }
  work_.wait();
  linger();
}

// Closing with unread input makes the kernel send a reset, which can overtake the last frames.
void Http2Session::linger() noexcept {
  net::TcpStream& stream = connection_->stream();
  stream.shutdown_write();
  stream.set_read_deadline(after_delay(now(), kLingerTime));
  std::array<char, 4096> waste;
  std::size_t total = 0;
  while (total < kLingerBytes) {
    const net::IoResult result = stream.read(waste);
    if (result.bytes == 0) return;
    total += result.bytes;
  }
}

}  // namespace degu::http::internal
