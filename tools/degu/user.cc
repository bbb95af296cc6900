// The clock is read twice a request: before it is sent, and when its answer is whole.
#include "user.h"

#include <degu/base/error.h>
#include <degu/context/context.h>
#include <degu/rt/run.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace degu::bench {
namespace {

constexpr std::size_t kBufferBytes = 32 * 1024;

}  // namespace

User::User(Shared& shared, uint64_t seed)
    : shared_(shared), values_(shared.scenario, seed), buffer_(kBufferBytes) {}

void User::run() try {
  while (const auto start = shared_.arrivals.next()) {
    if (shared_.arrivals.open_loop()) {
      const auto early = *start - now();
      if (early.count() > 0) degu::sleep(early);
    } else if (current_context().done()) {
      return;
    }
    const std::size_t request = values_.pick();
    perform(request, *start, 0);
    const auto think = shared_.scenario.requests()[request].think;
    if (think.count() > 0) degu::sleep(think);
  }
} catch (const Cancelled&) {
} catch (const DeadlineExceeded&) {
}

// `start`: when it was to be sent. What it needs of earlier answers is asked for first, and counts as requests of their own.
void User::perform(std::size_t request, TimePoint start, int depth) {
  const ScenarioRequest& what = shared_.scenario.requests()[request];
  if (!provide(request, start, depth)) return;
  std::string_view bytes = what.request.fixed();
  if (!what.request.needs().empty()) {
    what.request.render(values_.draw(request), rendered_);
    bytes = rendered_;
  }
  request_ = request;
  counted_ = start >= shared_.measure_from;
  if (!stream_ && !connect()) return;
  sent_ = now();
  deadline_ = after_delay(sent_, shared_.options.timeout);
  // Only in the open loop is there a plan that a request can be late for.
  const TimePoint intended = shared_.arrivals.open_loop() ? start : sent_;
  parser_.start(what.request.is_head(), what.gives.empty() ? nullptr : &body_);
  if (!send(bytes) || !receive()) return;
  const TimePoint done = now();
  if (counted_) shared_.recorder.response(request, parser_.status(), done - intended, done - sent_);
  if (!parser_.keep_alive()) stream_ = {};
  if (!what.gives.empty()) values_.take(request, body_, counted_ ? &shared_.recorder : nullptr);
}

bool User::provide(std::size_t request, TimePoint start, int depth) {
  while (const auto giver = values_.missing(request)) {
    perform(*giver, depth == 0 ? start : now(), depth + 1);
    if (values_.missing(request) == giver) return false;
  }
  return true;
}

bool User::connect() try {
  deadline_ = after_delay(now(), shared_.options.timeout);
  stream_ = net::TcpStream::connect(shared_.options.target.host_port, {.deadline = deadline_});
  if (shared_.tls != nullptr) {
    stream_ = shared_.tls->wrap(std::move(stream_), shared_.options.target.host);
    net::tls_handshake(stream_, deadline_);
  }
  return true;
} catch (const Error& error) {
  stream_ = {};
  if (current_context().done()) {
    if (counted_) shared_.recorder.unfinished();
    throw Cancelled();
  }
  fail(ErrorKind::kConnect, error.message());
  degu::sleep(kRefusedPause);
  return false;
}

bool User::send(std::string_view bytes) {
  const net::IoResult result = stream_.write(bytes, deadline_);
  if (counted_) shared_.recorder.transferred(0, result.bytes);
  return result.error == 0 || lost(result.error, deadline_);
}

bool User::receive() {
  std::size_t received = 0;
  while (parser_.state() == ResponseParser::State::kMore) {
    const net::IoResult result = stream_.read(buffer_, deadline_);
    if (result.error != 0) return lost(result.error, deadline_);
    received += result.bytes;
    if (result.bytes == 0) {
      if (parser_.close() == ResponseParser::State::kMore) return lost(0, deadline_);
      break;
    }
    const std::size_t used = parser_.feed({buffer_.data(), result.bytes});
    if (parser_.state() == ResponseParser::State::kDone && used < result.bytes) {
      fail(ErrorKind::kParse, "bytes behind the end of the response");
      return false;
    }
    if (parser_.state() == ResponseParser::State::kBad) {
      fail(ErrorKind::kParse, parser_.error());
      return false;
    }
    // A body that trickles must not live for ever on reads that are each in time.
    if (parser_.state() == ResponseParser::State::kMore && now() >= deadline_)
      return lost(ETIMEDOUT, deadline_);
  }
  if (counted_) shared_.recorder.transferred(received, 0);
  return true;
}

void User::fail(ErrorKind kind, std::string_view why) {
  stream_ = {};
  if (counted_) shared_.recorder.failure(request_, kind, why);
}

// The connection is of no use any more. False, for the caller to return. Throws Cancelled when it is the run that has ended.
bool User::lost(int error, TimePoint deadline) {
  if (current_context().done() && now() < deadline) {
    stream_ = {};
    if (counted_) shared_.recorder.unfinished();
    throw Cancelled();
  }
  if (error == ETIMEDOUT) {
    fail(ErrorKind::kTimeout, "no answer in time");
  } else {
    fail(ErrorKind::kReset, error == 0 ? "the server closed the connection before its answer was whole"
                                       : std::generic_category().message(error));
  }
  return false;
}

}  // namespace degu::bench
