// nghttp2 knows the frames, HPACK and the windows; it never waits. One goroutine drives all streams: it submits, flushes and
// receives in turn, and what became of a request it learns within the last two.
#include "http2_connection.h"

#include <degu/base/error.h>
#include <degu/context/context.h>
#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>

namespace degu::bench {
namespace {

constexpr std::size_t kInputBytes = 64 * 1024;
constexpr std::size_t kOutputBytes = 64 * 1024;  // gathered for one write
constexpr std::size_t kMaxAnswerKept = 1024 * 1024;
constexpr std::size_t kMaxMessage = 200;
constexpr int32_t kWindow = 0x7fffffff;

const uint8_t* bytes_of(const char* data) noexcept { return reinterpret_cast<const uint8_t*>(data); }

// nghttp2 takes no const, but copies.
nghttp2_nv field(const std::pair<std::string, std::string>& from) noexcept {
  return {const_cast<uint8_t*>(bytes_of(from.first.data())),
          const_cast<uint8_t*>(bytes_of(from.second.data())), from.first.size(), from.second.size(),
          NGHTTP2_NV_FLAG_NONE};
}

// A message may quote the server: what a terminal would obey is not passed on.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, kMaxMessage));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

}  // namespace

std::string_view http2_code_name(uint32_t code) noexcept {
  constexpr std::string_view kNames[] = {"NO_ERROR",
                                         "PROTOCOL_ERROR",
                                         "INTERNAL_ERROR",
                                         "FLOW_CONTROL_ERROR",
                                         "SETTINGS_TIMEOUT",
                                         "STREAM_CLOSED",
                                         "FRAME_SIZE_ERROR",
                                         "REFUSED_STREAM",
                                         "CANCEL",
                                         "COMPRESSION_ERROR",
                                         "CONNECT_ERROR",
                                         "ENHANCE_YOUR_CALM",
                                         "INADEQUATE_SECURITY",
                                         "HTTP_1_1_REQUIRED"};
  return code < std::size(kNames) ? kNames[code] : "an unknown code";
}

// What nghttp2 calls.
struct Http2Connection::Callbacks {
  static Http2Connection& self(void* user) noexcept { return *static_cast<Http2Connection*>(user); }
  static Http2Exchange* exchange(nghttp2_session* session, int32_t id) noexcept {
    return static_cast<Http2Exchange*>(nghttp2_session_get_stream_user_data(session, id));
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

  // Of an answer only its status is of interest. nghttp2 has seen to it that it has three digits; the last of several
  // counts, those before are interim.
  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name, size_t,
                       const uint8_t* value, size_t value_size, uint8_t, void*) {
    if (name[0] != ':' || value_size != 3) return 0;
    Http2Exchange* const at = exchange(session, frame->hd.stream_id);
    if (at != nullptr) at->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    return 0;
  }

  static int on_data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size, void*) {
    Http2Exchange* const at = exchange(session, id);
    if (at == nullptr || at->answer == nullptr) return 0;
    return guarded([&] {
      const std::size_t room = kMaxAnswerKept - std::min(kMaxAnswerKept, at->answer->size());
      at->answer->append(reinterpret_cast<const char*>(data), std::min(size, room));
    });
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA:
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) answer_is_whole(session, frame->hd.stream_id);
        break;
      case NGHTTP2_RST_STREAM:
        if (Http2Exchange* const at = exchange(session, frame->hd.stream_id)) {
          at->reset = true;
          at->reset_code = frame->rst_stream.error_code;
        }
        break;
      case NGHTTP2_SETTINGS:
        self(user).settled_ = true;
        break;
      case NGHTTP2_GOAWAY:
        self(user).goaway_ = frame->goaway.error_code;
        break;
      default:
        break;
    }
    return 0;
  }

  // A server may answer before it has had the request's body, and then wants no more of it (section 8.1).
  static void answer_is_whole(nghttp2_session* session, int32_t id) noexcept {
    Http2Exchange* const at = exchange(session, id);
    if (at == nullptr) return;
    at->whole = true;
    if (at->body_sent != at->body.size())
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  }

  // The stream is over, by its end, by RST_STREAM of either side, or by GOAWAY.
  static int on_close(nghttp2_session* session, int32_t id, uint32_t code, void* user) {
    Http2Exchange* const at = exchange(session, id);
    if (at == nullptr) return 0;
    Http2End end = Http2End::kMalformed;
    if (at->whole) {
      end = Http2End::kAnswered;
    } else if (at->reset) {
      end = Http2End::kReset;
    } else if (self(user).goaway_ && code == NGHTTP2_REFUSED_STREAM) {
      end = Http2End::kUnprocessed;
    }
    at->stream = 0;
    return guarded([&] { self(user).owner_.ended(*at, end); });
  }

  // nghttp2 says why when it ends the connection itself.
  static int on_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_GOAWAY || frame->goaway.error_code == NGHTTP2_NO_ERROR) return 0;
    const std::string_view reason(reinterpret_cast<const char*>(frame->goaway.opaque_data),
                                  frame->goaway.opaque_data_len);
    return guarded(
        [&] { self(user).fail(reason.empty() ? http2_code_name(frame->goaway.error_code) : reason); });
  }

  static int on_error(nghttp2_session*, int, const char* message, size_t size, void* user) {
    return guarded([&] { self(user).complaint_ = printable({message, size}); });
  }

  static ssize_t on_read(nghttp2_session*, int32_t, uint8_t* into, size_t size, uint32_t* flags,
                         nghttp2_data_source* source, void*) {
    auto& at = *static_cast<Http2Exchange*>(source->ptr);
    const std::size_t bytes = std::min(size, at.body.size() - at.body_sent);
    std::memcpy(into, at.body.data() + at.body_sent, bytes);
    at.body_sent += bytes;
    if (at.body_sent == at.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(bytes);
  }

  static const nghttp2_session_callbacks* all() {
    static const nghttp2_session_callbacks* const callbacks = [] {
      nghttp2_session_callbacks* made = nullptr;
      if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_header_callback(made, on_header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
      nghttp2_session_callbacks_set_on_frame_send_callback(made, on_sent);
      nghttp2_session_callbacks_set_error_callback2(made, on_error);
      return made;
    }();
    return callbacks;
  }

  static const nghttp2_option* options() {
    static const nghttp2_option* const made = [] {
      nghttp2_option* options = nullptr;
      if (nghttp2_option_new(&options) != 0) throw std::bad_alloc();
      nghttp2_option_set_no_closed_streams(options, 1);
      return options;
    }();
    return made;
  }
};

Http2Connection::Http2Connection(net::TcpStream stream, Owner& owner)
    : stream_(std::move(stream)), owner_(owner), input_(kInputBytes), complaint_("a malformed answer") {
  if (nghttp2_session_client_new2(&session_, Callbacks::all(), this, Callbacks::options()) != 0)
    throw std::bad_alloc();
  const std::array<nghttp2_settings_entry, 2> settings{
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kWindow);
}

Http2Connection::~Http2Connection() { nghttp2_session_del(session_); }

void Http2Connection::open(TimePoint deadline) {
  const auto require = [&](net::IoResult result, bool reading) {
    if (result.error == ECANCELED) throw Cancelled();
    if (result.error == ETIMEDOUT)
      throw Error(Code::kUnavailable,
                  settled_ ? "the server takes no requests" : "the server does not greet");
    if (result.error != 0) throw Error(Code::kUnavailable, std::generic_category().message(result.error));
    if (reading && result.bytes == 0)
      throw Error(Code::kUnavailable, "the server has closed the connection instead of speaking HTTP/2");
  };
  while (!settled_ || stream_limit() == 0) {
    require(flush(deadline), false);
    if (over() || goaway_)
      throw Error(Code::kUnavailable, !error_.empty() ? error_
                                                      : fmt::format("GOAWAY instead of a greeting: {}",
                                                                    http2_code_name(goaway_.value_or(0))));
    require(receive(deadline), true);
  }
  if (!usable()) throw Error(Code::kUnavailable, "the server ends the connection as soon as it has begun");
}

bool Http2Connection::usable() const noexcept {
  return !broken_ && nghttp2_session_check_request_allowed(session_) != 0;
}

std::size_t Http2Connection::stream_limit() const noexcept {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool Http2Connection::over() const noexcept {
  return broken_ || (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

void Http2Connection::fail(std::string_view why) {
  if (error_.empty()) error_ = printable(why);
}

void Http2Connection::submit(Http2Exchange& exchange, const RequestFields& fields) {
  constexpr std::size_t kFew = 32;
  std::array<nghttp2_nv, kFew> few;
  std::vector<nghttp2_nv> many(fields.list.size() > kFew ? fields.list.size() : 0);
  nghttp2_nv* const list = many.empty() ? few.data() : many.data();
  std::transform(fields.list.begin(), fields.list.end(), list, field);
  exchange.status = 0;
  exchange.body_sent = 0;
  exchange.whole = exchange.reset = false;
  nghttp2_data_provider provider{{.ptr = &exchange}, Callbacks::on_read};
  exchange.stream = nghttp2_submit_request(session_, nullptr, list, fields.list.size(),
                                           exchange.body.empty() ? nullptr : &provider, &exchange);
  if (exchange.stream < 0) throw Error(Code::kResourceExhausted, nghttp2_strerror(exchange.stream));
}

void Http2Connection::cancel(Http2Exchange& exchange) noexcept {
  nghttp2_session_set_stream_user_data(session_, exchange.stream, nullptr);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, exchange.stream, NGHTTP2_CANCEL);
}

net::IoResult Http2Connection::flush(TimePoint deadline) {
  net::IoResult total;
  while (!broken_) {
    output_.clear();
    const uint8_t* data = nullptr;
    ssize_t bytes = 0;
    while (output_.size() < kOutputBytes && (bytes = nghttp2_session_mem_send(session_, &data)) > 0)
      output_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(bytes));
    if (bytes < 0) {
      broken_ = true;
      fail(nghttp2_strerror(static_cast<int>(bytes)));
    }
    if (output_.empty()) break;
    const net::IoResult sent = stream_.write(output_, deadline);
    total.bytes += sent.bytes;
    total.error = sent.error;
    broken_ = broken_ || sent.error != 0;
  }
  return total;
}

net::IoResult Http2Connection::receive(TimePoint deadline) {
  const net::IoResult got = stream_.read(input_, deadline);
  if (got.bytes == 0) return got;
  received_at_ = now();
  if (!settled_ && std::string_view(input_.data(), got.bytes).starts_with("HTTP/1.")) {
    broken_ = true;
    fail("the server speaks HTTP/1.1 only");
    return got;
  }
  const ssize_t used = nghttp2_session_mem_recv(session_, bytes_of(input_.data()), got.bytes);
  if (used < 0) {
    broken_ = true;
    fail(nghttp2_strerror(static_cast<int>(used)));
  }
  return got;
}

}  // namespace degu::bench
