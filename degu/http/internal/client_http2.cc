// nghttp2 knows the frames, HPACK and the windows; it never waits, and is used under lock_ alone. One goroutine reads while
// there are streams, one writes what has gathered. The reader ends the connection: whoever else wants that marks it and wakes
// the reader. A connection without streams has no goroutine: the poller starts a reader.
//
// What comes is given back to the connection's window at once and to the stream's as it is read: an answer that nobody reads
// holds up no other, and a stream keeps no more than its window.
//
// Lock order: the pool's, then lock_, then whatever starting a goroutine takes.
#include <degu/context/cancel_scope.h>
#include <degu/http/internal/client_http2.h>
#include <degu/http/internal/client_limits.h>
#include <degu/http/internal/fields.h>
#include <degu/rt/run.h>
#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace degu::http::internal {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kWriteBytes = 64 * 1024;  // gathered for one write
constexpr std::size_t kMaxStreams = 256;        // whatever the server allows
constexpr uint32_t kStreamWindow = 256 * 1024;  // the most that is held of an answer
constexpr int32_t kConnectionWindow = 16 << 20;
constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 section 6.5.2
constexpr std::chrono::nanoseconds kGoodbyeTime = std::chrono::seconds(1);

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

// What speaks of a connection of HTTP/1.1 has no place in HTTP/2 (RFC 9113 section 8.2.2).
bool is_of_http1(std::string_view name, std::string_view value) noexcept {
  if (name == "te") return !equals_ignoring_case(value, "trailers");
  return name == "upgrade" || name == "proxy-connection" || name == "http2-settings";
}

void make_lower(std::string& name) noexcept {
  for (char& c : name) c = to_lower(c);
}

}  // namespace

// --- What nghttp2 calls, with lock_ held

struct ClientHttp2::Callbacks {
  static ClientHttp2& self(void* user) noexcept { return *static_cast<ClientHttp2*>(user); }
  static ClientHttp2Stream* stream(nghttp2_session* session, int32_t id) noexcept {
    return static_cast<ClientHttp2Stream*>(nghttp2_session_get_stream_user_data(session, id));
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
    if (frame->hd.type == NGHTTP2_PUSH_PROMISE) {  // before it has seen that we want none
      self(user).fault_ = "a push";
      nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
      return 0;
    }
    if (ClientHttp2Stream* const at = stream(session, frame->hd.stream_id); at != nullptr)
      at->header_bytes = 0;
    return 0;
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void* user) {
    ClientHttp2Stream* const at = stream(session, frame->hd.stream_id);
    if (at == nullptr || at->abandoned) return 0;
    at->header_bytes += name_size + value_size + kFieldOverhead;
    if (at->header_bytes > self(user).limits_.max_header_bytes) {
      at->too_large = true;
      at->changed.broadcast();
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets the stream
    }
    return guarded([&] {
      const std::string_view field_name = text_of(name, name_size);
      const std::string_view field_value = text_of(value, value_size);
      if (at->head_done) {
        at->trailers.emplace_back(field_name, field_value);
      } else if (field_name == ":status") {  // nghttp2 has looked at it: three digits
        at->head.status = static_cast<int>(parse_digits(field_value).value_or(0));
      } else {
        if (field_name == "content-length") at->head.content_length = parse_digits(field_value);
        at->head.headers.emplace_back(field_name, field_value);
      }
    });
  }

  // Not by default: a name with characters that none has would be passed over.
  static int on_bad_header(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t, const uint8_t*,
                           size_t, uint8_t, void*) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size, void*) {
    if (nghttp2_session_consume_connection(session, size) != 0) return NGHTTP2_ERR_CALLBACK_FAILURE;
    ClientHttp2Stream* const at = stream(session, id);
    if (at == nullptr || at->gone() || at->abandoned) return 0;
    return guarded([&] {
      at->data += text_of(data, size);
      at->changed.broadcast();
    });
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    ClientHttp2& owner = self(user);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    ClientHttp2Stream* const at = stream(session, frame->hd.stream_id);
    return guarded([&] {
      switch (frame->hd.type) {
        case NGHTTP2_HEADERS:
          if (at != nullptr) owner.head_complete(*at, ends);
          break;
        case NGHTTP2_DATA:
          if (frame->hd.length == 0 && !ends) owner.glitch(10);
          if (at != nullptr && ends) {
            at->ended = true;
            at->changed.broadcast();
          }
          break;
        case NGHTTP2_RST_STREAM:
          if (at != nullptr) {
            at->reset = frame->rst_stream.error_code;
          } else {
            owner.glitch(5);
          }
          break;
        case NGHTTP2_GOAWAY:
          owner.goodbye_ = frame->goaway.error_code;
          owner.leave();
          owner.glitch(1);
          break;
        case NGHTTP2_SETTINGS:
          owner.note_settings();
          owner.glitch(1);
          break;
        default:
          owner.glitch(1);
      }
    });
  }

  static int on_bad_frame(nghttp2_session*, const nghttp2_frame*, int error, void* user) {
    return guarded([&] {
      self(user).fault_ = nghttp2_strerror(error);
      self(user).glitch(10);
    });
  }

  // Its own text may hold what the server sent.
  static int on_error(nghttp2_session*, int error, const char*, size_t, void* user) {
    return guarded([&] { self(user).fault_ = nghttp2_strerror(error); });
  }

  static int on_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    ClientHttp2& owner = self(user);
    if (frame->hd.type == NGHTTP2_DATA) owner.glitches_.earn();
    if (frame->hd.type == NGHTTP2_GOAWAY && owner.fault_.empty())
      return guarded([&] { owner.fault_ = nghttp2_http2_strerror(frame->goaway.error_code); });
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (ClientHttp2Stream* const at = stream(session, frame->hd.stream_id); at != nullptr) {
      at->head_sent = true;
      at->progress_at = owner.time_;
    }
    return 0;
  }

  static int on_not_sent(nghttp2_session* session, const nghttp2_frame* frame, int error, void*) {
    if (frame->hd.type != NGHTTP2_HEADERS || error != NGHTTP2_ERR_FRAME_SIZE_ERROR) return 0;
    if (ClientHttp2Stream* const at = stream(session, frame->hd.stream_id); at != nullptr)
      at->unsendable = true;
    return 0;
  }

  static int on_close(nghttp2_session* session, int32_t id, uint32_t code, void* user) {
    if (ClientHttp2Stream* const at = stream(session, id); at != nullptr) {
      at->close_code = code;
      self(user).stream_closed(*at);
    }
    return 0;
  }

  static ssize_t on_read(nghttp2_session*, int32_t, uint8_t* into, size_t size, uint32_t* flags,
                         nghttp2_data_source* source, void* user) {
    auto& at = *static_cast<ClientHttp2Stream*>(source->ptr);
    return self(user).read_body(at, {reinterpret_cast<char*>(into), size}, *flags);
  }

  static const nghttp2_session_callbacks* all() {
    static const nghttp2_session_callbacks* const callbacks = [] {
      nghttp2_session_callbacks* made = nullptr;
      if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(made, on_header);
      nghttp2_session_callbacks_set_on_invalid_header_callback(made, on_bad_header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, on_bad_frame);
      nghttp2_session_callbacks_set_error_callback2(made, on_error);
      nghttp2_session_callbacks_set_on_frame_send_callback(made, on_sent);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(made, on_not_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
      return made;
    }();
    return callbacks;
  }

  static const nghttp2_option* options() {
    static const nghttp2_option* const options = [] {
      nghttp2_option* made = nullptr;
      if (nghttp2_option_new(&made) != 0) throw std::bad_alloc();
      nghttp2_option_set_no_auto_window_update(made, 1);
      nghttp2_option_set_no_closed_streams(made, 1);
      nghttp2_option_set_max_continuations(made, 8);
      nghttp2_option_set_max_outbound_ack(made, 1000);
      nghttp2_option_set_max_settings(made, 32);
      return made;
    }();
    return options;
  }
};

std::shared_ptr<ClientHttp2> ClientHttp2::start(ClientPool::Lease lease, const ClientHttp2Limits& limits,
                                                UniqueFunction<void()> on_change) {
  auto made = std::make_shared<ClientHttp2>(std::move(lease), limits, std::move(on_change));
  made->spawn_reader();
  return made;
}

ClientHttp2::ClientHttp2(ClientPool::Lease lease, const ClientHttp2Limits& limits,
                         UniqueFunction<void()> on_change)
    : limits_(limits), lease_(std::move(lease)), on_change_(std::move(on_change)) {
  call_.connection = this;
  call_.fn = [](rt::PollCall* call) {
    ClientHttp2& self = *static_cast<Wake*>(call)->connection;
    rt::spawn_from_callback([kept = std::move(self.kept_)] { kept->read_in(); }, {});
  };
  if (nghttp2_session_client_new2(&session_, Callbacks::all(), this, Callbacks::options()) != 0)
    throw std::bad_alloc();
  const std::array<nghttp2_settings_entry, 3> settings{
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
        static_cast<uint32_t>(std::min<std::size_t>(limits.max_header_bytes, UINT32_MAX))}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  quiet_since_ = now();
}

ClientHttp2::~ClientHttp2() { nghttp2_session_del(session_); }

void ClientHttp2::glitch(uint32_t cost) {
  if (glitches_.spend(cost)) return;
  fault_ = "a flood of frames";
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

void ClientHttp2::note_settings() noexcept {
  const uint32_t allowed =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  max_streams_.store(std::min<std::size_t>(allowed, kMaxStreams), std::memory_order_relaxed);
  settled_.store(true, std::memory_order_relaxed);
  settings_came_ = true;
}

// --- Streams

std::shared_ptr<ClientHttp2Stream> ClientHttp2::open(const ClientRequest& request, HeaderList fields) {
  std::vector<nghttp2_nv> all;
  all.reserve(fields.size() + 4);
  all.push_back(field(":method", request.method));
  all.push_back(field(":scheme", request.url.secure ? "https" : "http"));
  all.push_back(field(":authority", request.url.authority));
  all.push_back(field(":path", request.url.target));
  for (auto& [name, value] : fields) {
    make_lower(name);
    if (!is_of_http1(name, value)) all.push_back(field(name, value));
  }
  auto stream = std::make_shared<ClientHttp2Stream>();
  stream->streamed = request.writer != nullptr;
  stream->body = request.body;
  stream->held = request.expect_continue && request.has_body();
  stream->upload_done = !request.has_body();
  nghttp2_data_provider provider{{.ptr = stream.get()}, Callbacks::on_read};
  const Guard guard(lock_);
  if (leaving_ || broken_) throw NotAnswered("the server has ended the connection", false);
  if (streams_.empty()) quiet_since_ = now();
  stream->progress_at = now();
  streams_.push_back(stream);
  stream->index = streams_.size() - 1;
  stream->id = nghttp2_submit_request(session_, nullptr, all.data(), all.size(),
                                      request.has_body() ? &provider : nullptr, stream.get());
  if (stream->id < 0) {
    streams_.pop_back();
    leave();  // it has no numbers left
    if (streams_.empty()) wake_reader();
    throw NotAnswered("the connection takes no more requests", false);
  }
  want_write();
  return stream;
}

void ClientHttp2::head_complete(ClientHttp2Stream& stream, bool ends) {
  stream.ended = stream.ended || ends;
  stream.changed.broadcast();
  if (stream.head_done) return;
  if (stream.head.status >= 200) {
    stream.head_done = true;
  } else if (++stream.interim == kMaxInterim) {
    stream.too_large = true;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_ENHANCE_YOUR_CALM);
  } else {
    if (stream.head.status == 100 && std::exchange(stream.held, false)) resume(stream);
    stream.head = {};
  }
}

void ClientHttp2::stream_closed(ClientHttp2Stream& stream) noexcept {
  stream.closed = true;
  stream.changed.broadcast();
  std::shared_ptr<ClientHttp2Stream>& place = streams_[stream.index];
  const std::shared_ptr<ClientHttp2Stream> done = std::move(place);
  if (&place != &streams_.back()) {
    place = std::move(streams_.back());
    place->index = done->index;
  }
  streams_.pop_back();
}

std::ptrdiff_t ClientHttp2::read_body(ClientHttp2Stream& stream, std::span<char> into, uint32_t& flags) {
  if (stream.held || stream.stopped || stream.abandoned) return NGHTTP2_ERR_DEFERRED;
  std::string_view left = stream.streamed ? std::string_view(stream.piece).substr(stream.sent) : stream.body;
  const std::size_t bytes = std::min(into.size(), left.size());
  if (bytes != 0) std::memcpy(into.data(), left.data(), bytes);
  left.remove_prefix(bytes);
  stream.progress_at = time_;
  if (stream.streamed) {
    stream.sent += bytes;
    stream.changed.broadcast();
  } else {
    stream.body = left;
  }
  if (left.empty() && (!stream.streamed || stream.body_ended)) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    stream.upload_done = true;
    stream.changed.broadcast();
  } else if (bytes == 0) {
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<std::ptrdiff_t>(bytes);
}

void ClientHttp2::resume(ClientHttp2Stream& stream) {
  if (stream.closed) return;
  nghttp2_session_resume_data(session_, stream.id);
  want_write();
}

void ClientHttp2::give_room(ClientHttp2Stream& stream, std::size_t bytes) {
  if (stream.closed || stream.ended) return;
  nghttp2_session_consume_stream(session_, stream.id, bytes);
  want_write();
}

void ClientHttp2::abandon(ClientHttp2Stream& stream) noexcept {
  stream.abandoned = true;
  stream.body = {};
  std::string().swap(stream.data);
  if (stream.closed) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
  want_write();
}

void ClientHttp2::throw_lost(const ClientHttp2Stream& stream) const {
  if (stream.interim == kMaxInterim)
    throw Error(Code::kInternal, "malformed response: too many interim answers");
  if (stream.too_large) throw internal::too_large("header section");
  if (stream.unsendable) throw Error(Code::kInvalidArgument, "the request's header section is too large");
  // RFC 9113 section 8.7: what was refused, by its own frame or by GOAWAY, was not looked at.
  const bool refused = stream.close_code == NGHTTP2_REFUSED_STREAM;
  std::string why;
  if (refused) {
    why = "the server has refused the request";
  } else if (stream.reset) {
    why = fmt::format("the server has reset the stream: {}", nghttp2_http2_strerror(*stream.reset));
  } else if (stream.close_code != NGHTTP2_NO_ERROR || !failure_) {
    throw Error(Code::kInternal,
                fmt::format("malformed response: {}", nghttp2_http2_strerror(stream.close_code)));
  } else if (failure_->code != Code::kUnavailable) {
    throw Error(failure_->code, failure_->why);
  } else {
    why = failure_->why;
  }
  if (stream.head_done) throw Error(Code::kUnavailable, why);
  throw NotAnswered(why, !refused && stream.head_sent);
}

// --- Whether the server lives

TimePoint ClientHttp2::next_look() const noexcept {
  if (limits_.ping_after.count() <= 0) return kNever;
  return after_delay(pinged_at_.value_or(quiet_since_), limits_.ping_after);
}

void ClientHttp2::look_for_life() {
  if (now() < next_look() || broken_ || finished_) return;
  if (pinged_at_) return fail(Code::kUnavailable, "the server has fallen silent");
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  pinged_at_ = now();
  want_write();
}

// --- Writing

void ClientHttp2::want_write() {
  if (writing_ || mute_ || broken_ || finished_ || nghttp2_session_want_write(session_) == 0) return;
  writing_ = true;
  const ContextScope scope{Context()};  // it works for everybody
  writers_.go([this] { write_out(); });
}

// What is to be sent next; false: nothing, at least for now.
bool ClientHttp2::gather(std::string& out) {
  out.clear();
  time_ = now();
  const uint8_t* data = nullptr;
  ssize_t bytes = 0;
  while (!mute_ && !broken_ && out.size() < kWriteBytes &&
         (bytes = nghttp2_session_mem_send(session_, &data)) > 0)
    out.append(text_of(data, static_cast<std::size_t>(bytes)));
  if (bytes < 0) lose_writing(ENOMEM);
  return !out.empty() && !mute_ && !broken_;
}

void ClientHttp2::write_out() noexcept {
  std::string out;
  Guard guard(lock_);
  while (gather(out)) {
    guard.unlock();
    const int error = stream().write(out, earlier(kNever, limits_.write_timeout)).error;
    guard.lock();
    if (error != 0) lose_writing(error);
  }
  writing_ = false;
  if (!mute_ && is_over()) wake_reader();
}

// What the server said before it stopped listening may still come.
void ClientHttp2::lose_writing(int error) {
  if (mute_) return;
  mute_ = true;
  if (!failure_)
    failure_ = {Code::kUnavailable, error == ETIMEDOUT
                                        ? "the server takes nothing any more"
                                        : fmt::format("the connection broke: {}", std::strerror(error))};
  leave();
  wake_reader(after_delay(now(), kLastWords));
}

// --- The connection

// The reader has nothing to wait for.
bool ClientHttp2::is_over() noexcept {
  return broken_ || (leaving_ && streams_.empty()) ||
         (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

void ClientHttp2::leave() noexcept {
  leaving_ = true;
  usable_.store(false, std::memory_order_relaxed);
}

void ClientHttp2::retire() noexcept {
  const Guard guard(lock_);
  leave();
  if (!finished_ && streams_.empty()) wake_reader();
}

// It looks again when `deadline` is over at the latest. Nothing is owed to a server of which no reader waits.
void ClientHttp2::wake_reader(TimePoint deadline) noexcept {
  if (parked_) {
    stream().interrupt();
  } else {
    stream().set_read_deadline(deadline);
  }
}

void ClientHttp2::fail(Code code, std::string why) {
  if (!failure_) failure_ = {code, std::move(why)};
  end_streams();
  if (!finished_) stream().interrupt();
}

// nghttp2 must not be asked again: it still knows them.
void ClientHttp2::end_streams() noexcept {
  leave();
  broken_ = true;
  for (const std::shared_ptr<ClientHttp2Stream>& stream : streams_) {
    stream->closed = true;
    stream->changed.broadcast();
  }
  streams_.clear();
}

bool ClientHttp2::feed(std::string_view bytes) {
  bool told = false;
  {
    const Guard guard(lock_);
    if (broken_ || !feed_session(bytes)) return false;
    told = std::exchange(settings_came_, false);
  }
  if (told) on_change_();
  return true;
}

// With lock_ held.
bool ClientHttp2::feed_session(std::string_view bytes) {
  time_ = quiet_since_ = now();
  pinged_at_.reset();
  const auto data = bytes_of(bytes);
  const ssize_t result = nghttp2_session_mem_recv(session_, data.data(), data.size());
  if (result < 0) {
    fail(Code::kInternal,
         fmt::format("malformed response: HTTP/2: {}", nghttp2_strerror(static_cast<int>(result))));
    return false;
  }
  want_write();
  return true;
}

// Without streams no goroutine waits, nor is there a buffer.
ClientHttp2::Rest ClientHttp2::rest() {
  {
    const Guard guard(lock_);
    if (is_over()) return Rest::kEnd;
    if (!streams_.empty()) return Rest::kRead;
    parked_ = true;
    kept_ = shared_from_this();
  }
  // From here on another goroutine may have become the reader, if it is true.
  if (stream().call_when_readable(call_)) return Rest::kParked;
  const Guard guard(lock_);
  parked_ = false;
  kept_.reset();
  return Rest::kRead;
}

// False: the connection has ended.
bool ClientHttp2::take_input(std::span<char> into) {
  const net::IoResult got = stream().read(into);
  if (got.bytes != 0) return feed({into.data(), got.bytes});
  const Guard guard(lock_);
  if (got.error == ETIMEDOUT && !mute_) {
    stream().set_read_deadline(kNever);  // a nudge
    return true;
  }
  if (!failure_) {
    std::string why = got.error != 0 ? fmt::format("the connection broke: {}", std::strerror(got.error))
                                     : "the server closed the connection without an answer";
    if (goodbye_ != NGHTTP2_NO_ERROR) why += fmt::format(", for {}", nghttp2_http2_strerror(goodbye_));
    failure_ = {Code::kUnavailable, std::move(why)};
  }
  return false;
}

void ClientHttp2::spawn_reader() {
  const ContextScope scope{Context()};  // it reads for everybody
  go([self = shared_from_this()] { self->read_in(); });
}

void ClientHttp2::read_in() noexcept {
  const Shield shield;
  try {
    {
      const Guard guard(lock_);
      parked_ = false;
      want_write();  // the preface
    }
    const auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
    for (Rest next = rest(); next != Rest::kEnd; next = rest()) {
      if (next == Rest::kParked) return;
      if (!take_input({buffer.get(), kReadBytes})) break;
    }
  } catch (...) {
    // Out of memory, nothing else can get here: this connection has to go.
  }
  wind_up();
}

void ClientHttp2::wind_up() noexcept {
  {
    const Guard guard(lock_);
    if (!failure_ && !streams_.empty())  // it was us, then
      failure_ = {Code::kInternal, "malformed response: HTTP/2: " + fault_};
    if (!failure_) failure_ = {Code::kUnavailable, "the connection was closed"};
    if (!streams_.empty()) end_streams();
    leave();
    if (!mute_ && !broken_) {
      nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
      want_write();
    }
    finished_ = true;
    if (broken_) {
      stream().interrupt();
    } else {
      stream().set_write_deadline(after_delay(now(), kGoodbyeTime));
    }
  }
  writers_.wait();
  lease_.drop();
  on_change_();
}

}  // namespace degu::http::internal
