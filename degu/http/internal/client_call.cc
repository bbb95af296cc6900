// A body that may take a while is sent by the caller's goroutine, which runs its BodyWriter, while another one waits for the
// answer: a server that refuses says so early, and may stop reading. Who reads stops who writes by the stream's write
// deadline. The two share Upload; buffer_, answered_ and the reading half belong to the reader until it has ended.
#include <degu/http/internal/client_call.h>
#include <degu/rt/park.h>
#include <degu/sync/cond.h>
#include <degu/sync/mutex.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <span>

namespace degu::http::internal {
namespace {

constexpr std::size_t kSendAtOnce = 64 * 1024;  // fits the buffers of sockets, more or less
constexpr std::size_t kSendPiece = 64 * 1024;   // for which the idle timeout counts
constexpr std::size_t kReadPiece = 64 * 1024;

iovec part(std::string_view text) noexcept { return {const_cast<char*>(text.data()), text.size()}; }

}  // namespace

class ClientCall::Upload final : public RequestBody {
 public:
  explicit Upload(ClientCall& call) : call_(call) {}

  void write(std::string_view piece) override {
    while (!piece.empty()) {
      const std::string_view chunk = piece.substr(0, kSendPiece);
      piece.remove_prefix(chunk.size());
      const std::string size = fmt::format("{:x}\r\n", chunk.size());
      send(std::array<iovec, 3>{part(size), part(chunk), part("\r\n")});
    }
  }

  void send_sized(std::string_view body) {
    for (; !body.empty(); body.remove_prefix(std::min(body.size(), kSendPiece)))
      send(std::array<iovec, 1>{part(body.substr(0, kSendPiece))});
  }

  void send(std::span<const iovec> parts) {
    if (failed_ || stopped()) throw UploadStopped();
    const TimePoint deadline = earlier(call_.limits_.deadline, call_.limits_.idle_timeout);
    const net::IoResult result = call_.stream().writev(parts, deadline);
    if (result.error == 0) return;
    // A part of the piece may be gone: what a BodyWriter that takes no notice writes next would be read as the rest of it.
    failed_ = true;
    if (stopped()) throw UploadStopped();
    // The server may have said why before it broke off: the reader finds out.
    call_.stream().set_read_deadline(after_delay(now(), kLastWords));
    if (result.error == ECANCELED) rt::throw_interrupted();
    if (result.error == ETIMEDOUT) throw DeadlineExceeded("the server did not take the request in time");
    throw UploadStopped();
  }

  /// False: an answer has come instead.
  bool wait_for_continue() {
    std::unique_lock lock(lock_);
    const bool told =
        changed_.wait_until(lock, std::min(call_.limits_.deadline, after_delay(now(), kContinuePatience)),
                            [&] { return go_on_ || stopped_; });
    if (!told) go_on_ = true;
    return go_on_;
  }

  // By the reader.
  void go_on() {
    const std::lock_guard guard(lock_);
    go_on_ = true;
    changed_.broadcast();
  }
  void stop() {
    const std::lock_guard guard(lock_);
    stopped_ = true;
    changed_.broadcast();
    call_.stream().set_write_deadline(TimePoint::min());
  }
  bool stopped() {
    const std::lock_guard guard(lock_);
    return stopped_;
  }
  void answer(ResponseHead head, bool expected) {
    const bool refuses = head.status >= 300 || !head.keep_alive;
    // One who was asked whether to go on and answers has said no.
    const std::lock_guard guard(lock_);
    head_ = std::move(head);
    if (!refuses && !(expected && !go_on_)) return;
    stopped_ = true;
    changed_.broadcast();
    call_.stream().set_write_deadline(TimePoint::min());
  }
  ResponseHead take_head() { return std::move(*head_); }

 private:
  ClientCall& call_;
  bool failed_ = false;  // the writer's
  Mutex lock_;           // guards what follows
  Cond changed_;
  bool go_on_ = false;
  bool stopped_ = false;
  std::optional<ResponseHead> head_;
};

ResponseHead ClientCall::run(ClientRequest& request, const std::string& head) {
  const bool watches = request.writer != nullptr || request.body.size() > kSendAtOnce ||
                       (request.expect_continue && request.has_body());
  ResponseHead answer;
  if (watches) {
    answer = upload(request, head);
  } else {
    send_at_once(request, head);
    answer = read_final_head(earlier(limits_.deadline, limits_.head_timeout), nullptr);
  }
  stream().set_read_deadline(kNever);
  limits_.deadline = limits_.body_deadline;
  begin_body(request.method, answer);
  return answer;
}

void ClientCall::send_at_once(const ClientRequest& request, const std::string& head) {
  const TimePoint deadline = earlier(limits_.deadline, limits_.idle_timeout);
  const net::IoResult result =
      stream().writev(std::array<iovec, 2>{part(head), part(request.body)}, deadline);
  sent_any_ = result.bytes > 0 || result.error == 0;
  if (result.error == 0) return;
  if (result.error == ECANCELED || result.error == ETIMEDOUT) check(result);
  sent_all_ = false;
  stream().set_read_deadline(after_delay(now(), kLastWords));
}

ResponseHead ClientCall::upload(ClientRequest& request, const std::string& head) {
  const bool expects = request.expect_continue;
  Upload upload(*this);
  std::exception_ptr unanswered;
  const TimePoint deadline = earlier(limits_.deadline, limits_.idle_timeout);
  const net::IoResult result = stream().writev(std::array<iovec, 1>{part(head)}, deadline);
  sent_any_ = result.bytes > 0 || result.error == 0;
  check(result);
  WaitGroup reading;
  reading.go([&] {
    try {
      upload.answer(read_final_head(limits_.deadline, &upload), expects);
    } catch (...) {
      unanswered = std::current_exception();
      upload.stop();
    }
  });
  sent_all_ = false;
  try {
    if (!expects || upload.wait_for_continue()) {
      if (request.writer != nullptr) {
        request.writer_begun = true;
        (*request.writer)(upload);
        upload.send(std::array<iovec, 1>{part("0\r\n\r\n")});
      } else {
        upload.send_sized(request.body);
      }
      sent_all_ = true;
      stream().set_read_deadline(earlier(kNever, limits_.head_timeout));
    }
  } catch (const UploadStopped&) {
    // The answer, or how it failed, says the rest.
  } catch (...) {
    stream().interrupt();
    throw;
  }
  reading.wait();
  stream().set_write_deadline(kNever);  // the answer to a body that was sent whole stops nothing
  if (unanswered) std::rethrow_exception(unanswered);
  return upload.take_head();
}

void ClientCall::fail_broken(const std::string& why) {
  if (!answered_) throw NotAnswered(why, sent_any_);
  throw Error(Code::kUnavailable, why);
}

void ClientCall::check(net::IoResult result) {
  if (result.error == 0) return;
  if (result.error == ECANCELED) rt::throw_interrupted();
  if (result.error == ETIMEDOUT) throw not_in_time(limits_.deadline);
  fail_broken(fmt::format("the connection broke: {}", std::strerror(result.error)));
}

ResponseHead ClientCall::read_final_head(TimePoint deadline, Upload* upload) {
  for (int i = 0; i < kMaxInterim; ++i) {
    ResponseHead head = read_head(deadline);
    if (head.status >= 200) return head;
    if (head.status == 101) throw Error(Code::kInternal, "malformed response: unexpected 101");
    if (head.status == 100 && upload != nullptr) upload->go_on();
  }
  throw Error(Code::kInternal, "malformed response: too many interim answers");
}

ResponseHead ClientCall::read_head(TimePoint deadline) {
  std::size_t scanned = 0;
  for (;;) {
    if (auto head = parse_response_head(buffer_.view(), scanned)) {
      buffer_.consume(head->bytes);
      return std::move(*head);
    }
    if (buffer_.size() > limits_.max_header_bytes) throw too_large("header section");
    const net::IoResult result = stream().read(buffer_.make_room(), deadline);
    check(result);
    buffer_.commit(result.bytes);
    if (result.bytes == 0)
      fail_broken(answered_ ? "the server closed the connection within its answer"
                            : "the server closed the connection without an answer");
    answered_ = true;
  }
}

void ClientCall::begin_body(std::string_view method, const ResponseHead& head) {
  keep_alive_ = head.keep_alive && sent_all_;
  if (method == "HEAD" || head.status == 204 || head.status == 304) {
    return end_body();  // whatever the fields say
  }
  if (head.chunked) {
    framing_ = Framing::kChunked;
    chunks_ = ChunkedDecoder(limits_.max_body_bytes);
    chunks_.keep_trailers(trailers_);
    return;
  }
  if (!head.content_length) {
    framing_ = Framing::kUntilClose;
    keep_alive_ = false;
    return;
  }
  left_ = *head.content_length;
  if (left_ > limits_.max_body_bytes) throw too_large("body");
  framing_ = Framing::kSized;
  if (left_ == 0) end_body();
}

// Bytes of the connection in place of `piece`; 0 at its end.
std::size_t ClientCall::fill(std::string& piece, std::size_t most) {
  if (const std::size_t held = std::min(buffer_.size(), most); held > 0) {
    piece.assign(buffer_.view().substr(0, held));
    buffer_.consume(held);
    return held;
  }
  const TimePoint deadline = earlier(limits_.deadline, limits_.idle_timeout);
  piece.resize(most);
  const net::IoResult result = stream().read(piece, deadline);
  piece.resize(result.bytes);
  check(result);
  return result.bytes;
}

bool ClientCall::read(std::string& piece) {
  piece.clear();
  switch (framing_) {
    case Framing::kSized:
      return read_sized(piece);
    case Framing::kChunked:
      return read_chunked(piece);
    case Framing::kUntilClose:
      return read_until_close(piece);
    case Framing::kEnded:
      break;
  }
  return false;
}

bool ClientCall::read_sized(std::string& piece) {
  if (fill(piece, static_cast<std::size_t>(std::min<uint64_t>(left_, kReadPiece))) == 0)
    fail_broken("the server closed the connection within its answer");
  left_ -= piece.size();
  if (left_ == 0) end_body();
  return true;
}

bool ClientCall::read_chunked(std::string& piece) {
  while (fill(piece, kReadPiece) > 0) {
    const ParseState state = chunks_.decode(piece.data(), piece.size(), piece.data());
    if (state == ParseState::kError) {
      if (chunks_.error_status() == 413) throw too_large("body");
      throw Error(Code::kInternal, fmt::format("malformed response: {}", chunks_.error_reason()));
    }
    const std::size_t behind = piece.size() - chunks_.consumed();
    piece.resize(chunks_.produced());
    if (state == ParseState::kDone) {
      keep_alive_ = keep_alive_ && behind == 0;
      end_body();
      return !piece.empty();
    }
    if (!piece.empty()) return true;
  }
  fail_broken("the server closed the connection within its answer");
}

bool ClientCall::read_until_close(std::string& piece) {
  if (fill(piece, kReadPiece) == 0) {
    end_body();
    return false;
  }
  body_bytes_ += piece.size();
  if (body_bytes_ > limits_.max_body_bytes) throw too_large("body");
  return true;
}

void ClientCall::end_body() {
  framing_ = Framing::kEnded;
  if (keep_alive_ && buffer_.size() == 0) {
    lease_.give_back();
  } else {
    lease_.drop();
  }
}

}  // namespace degu::http::internal
