// All waits are on the stream, in the caller's goroutine: the connection's reader and writer wake it. A BodyWriter runs in it
// too, and looks before each piece whether the answer has made the rest useless.
#include <degu/http/internal/client_http2_call.h>

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

namespace degu::http::internal {
namespace {

constexpr std::size_t kSendPiece = 64 * 1024;  // for which the idle timeout counts

bool is_refusal(const ClientHttp2Stream& stream) noexcept {
  return stream.gone() || (stream.head_done && stream.head.status >= 300);
}

DeadlineExceeded not_taken() { return DeadlineExceeded("the server did not take the request in time"); }

}  // namespace

class ClientHttp2Call::Upload final : public RequestBody {
 public:
  explicit Upload(ClientHttp2Call& call) : call_(call), stream_(*call.stream_) {}

  void write(std::string_view piece) override {
    for (; !piece.empty(); piece.remove_prefix(std::min(piece.size(), kSendPiece)))
      send(piece.substr(0, kSendPiece));
  }

  /// The end of the body. Throws what a BodyWriter has taken no notice of.
  void finish() {
    if (failure_) std::rethrow_exception(failure_);
    const auto guard = call_.connection().hold();
    stream_.body_ended = true;
    call_.connection().resume(stream_);
  }

  /// False: an answer has come instead, or none will.
  bool wait_for_continue() {
    auto guard = call_.connection().hold();
    const TimePoint until = std::min(call_.limits_.deadline, after_delay(now(), kContinuePatience));
    const auto told = [this] { return !stream_.held || stream_.head_done || stream_.gone(); };
    // One who was asked whether to go on and answers has said no. One who says nothing may not know the question.
    if (call_.connection().wait(guard, stream_, until, told) && stream_.held) return false;
    if (std::exchange(stream_.held, false)) call_.connection().resume(stream_);
    return true;
  }

 private:
  void send(std::string_view piece) {
    auto guard = call_.connection().hold();
    if (failure_ || is_refusal(stream_)) throw UploadStopped();
    const auto taken = [this] {
      return stream_.piece.size() - stream_.sent < kSendPiece || is_refusal(stream_);
    };
    try {
      stream_.piece.erase(0, std::exchange(stream_.sent, 0));
      stream_.piece += piece;
      call_.connection().resume(stream_);
      if (!call_.connection().wait(guard, stream_,
                                   earlier(call_.limits_.deadline, call_.limits_.idle_timeout), taken))
        throw not_taken();
    } catch (...) {
      failure_ = std::current_exception();
      throw;
    }
    if (is_refusal(stream_)) throw UploadStopped();
  }

  ClientHttp2Call& call_;
  ClientHttp2Stream& stream_;
  std::exception_ptr failure_;
};

ResponseHead ClientHttp2Call::run(ClientRequest& request, HeaderList fields) {
  stream_ = connection().open(request, std::move(fields));
  if (request.has_body()) upload(request);
  ResponseHead head;
  {
    auto guard = connection().hold();
    const auto ready = [this] { return stream_->head_done || stream_->gone(); };
    if (!connection().wait(guard, *stream_, earlier(limits_.deadline, limits_.head_timeout), ready))
      throw not_in_time(limits_.deadline);
    if (!stream_->head_done) connection().throw_lost(*stream_);
    head = std::move(stream_->head);
    stream_->stopped = true;
    stream_->body = {};
  }
  limits_.deadline = limits_.body_deadline;
  if (!begin_body(request.method, head)) finish();
  return head;
}

void ClientHttp2Call::upload(ClientRequest& request) {
  Upload upload(*this);
  if (request.expect_continue && !upload.wait_for_continue()) return;
  if (request.writer == nullptr) return wait_until_sent();
  request.writer_begun = true;
  try {
    (*request.writer)(upload);
    upload.finish();
  } catch (const UploadStopped&) {
    return;  // the answer, or how it failed, says the rest
  }
  wait_until_sent();
}

// The answer's time begins when all is on its way.
void ClientHttp2Call::wait_until_sent() {
  auto guard = connection().hold();
  for (;;) {
    const TimePoint seen = stream_->progress_at;
    const TimePoint stalls =
        limits_.idle_timeout.count() > 0 ? after_delay(seen, limits_.idle_timeout) : kNever;
    const auto ready = [&] {
      return stream_->upload_done || is_refusal(*stream_) || stream_->progress_at != seen;
    };
    const bool moved = connection().wait(guard, *stream_, std::min(limits_.deadline, stalls), ready);
    if (stream_->upload_done || is_refusal(*stream_)) return;
    if (!moved || now() >= limits_.deadline) throw not_taken();
  }
}

// False: there is none, whatever the fields say.
bool ClientHttp2Call::begin_body(std::string_view method, const ResponseHead& head) {
  if (method == "HEAD" || head.status == 204 || head.status == 304) return false;
  if (head.content_length.value_or(0) > limits_.max_body_bytes) throw too_large("body");
  return true;
}

bool ClientHttp2Call::read(std::string& piece) {
  piece.clear();
  if (stream_ == nullptr) return false;
  auto guard = connection().hold();
  ClientHttp2Stream& stream = *stream_;
  const auto ready = [&] { return !stream.data.empty() || stream.ended || stream.gone(); };
  if (!connection().wait(guard, stream, earlier(limits_.deadline, limits_.idle_timeout), ready))
    throw not_in_time(limits_.deadline);
  if (!stream.data.empty()) {
    piece.swap(stream.data);
    connection().give_room(stream, piece.size());
    body_bytes_ += piece.size();
    if (body_bytes_ > limits_.max_body_bytes) throw too_large("body");
    return true;
  }
  if (!stream.ended) connection().throw_lost(stream);
  trailers_ = std::move(stream.trailers);
  guard.unlock();
  finish();
  return false;
}

void ClientHttp2Call::finish() noexcept {
  if (stream_ != nullptr) {
    const auto guard = connection().hold();
    connection().abandon(*stream_);
  }
  stream_.reset();
  slot_.release();
}

}  // namespace degu::http::internal
