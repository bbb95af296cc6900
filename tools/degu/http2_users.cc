// The clock is read once a step before what is due is submitted, and once when bytes have come: all that a step sends has one
// time, and so have all answers of one read.
#include "http2_users.h"

#include <degu/base/error.h>
#include <degu/context/context.h>
#include <degu/rt/run.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <system_error>

namespace degu::bench {
namespace {

constexpr unsigned kMaxAttempts = 5;  // of a request that servers do not process

}  // namespace

struct Http2Users::User : Http2Exchange {
  User(const Scenario& scenario, uint64_t seed) : values(scenario, seed) {}

  UserValues values;
  std::vector<std::size_t>
      plan;           // a request, and behind it those whose answers it waits for; the last is under way
  TimePoint start{};  // when the first was to be sent
  TimePoint sent{};
  TimePoint deadline{};
  bool counted = false;  // what is under way
  unsigned attempts = 0;
  std::string own_body;
  std::string own_answer;
  User* prev = nullptr;
  User* next = nullptr;

  // What comes of needs of needs has no start in the plan of the run.
  bool planned() const noexcept { return plan.size() <= 2; }
};

void Http2Users::List::push_back(User& user) noexcept {
  user.prev = last_;
  user.next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = &user;
  last_ = &user;
  ++size_;
}

void Http2Users::List::remove(User& user) noexcept {
  (user.prev == nullptr ? first_ : user.prev->next) = user.next;
  (user.next == nullptr ? last_ : user.next->prev) = user.prev;
  --size_;
}

Http2Users::User& Http2Users::List::pop_front() noexcept {
  User& user = *first_;
  remove(user);
  return user;
}

Http2Users::Http2Users(Shared& shared, uint64_t seed) : shared_(shared) {
  const auto count = static_cast<std::size_t>(shared.options.streams);
  users_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) free_.push_back(users_.emplace_back(shared.scenario, seed + i));
}

Http2Users::~Http2Users() = default;

void Http2Users::run() try {
  while (step()) {
  }
} catch (const Cancelled&) {
  count_unfinished();
} catch (const DeadlineExceeded&) {
  count_unfinished();
}

void Http2Users::count_unfinished() noexcept {
  while (!again_.empty()) under_way_.push_back(again_.pop_front());
  while (!under_way_.empty()) {
    if (under_way_.pop_front().counted) shared_.recorder.unfinished();
  }
}

// False: the run is over.
bool Http2Users::step() {
  if (current_context().done()) throw Cancelled();
  time_ = now();
  expire();
  wake();
  start();
  if (connection_) {
    transfer();
  } else if (arrivals_over_ && again_.empty()) {
    return false;
  } else {
    const auto wait = next_event() - now();
    if (wait.count() > 0) degu::sleep(wait);
  }
  return true;
}

// --- What is sent

void Http2Users::start() {
  while (has_room()) {
    User* const user = next_user();
    if (user == nullptr) break;
    launch(*user);
  }
  if (connection_ && arrivals_over_ && again_.empty() && under_way_.empty()) connection_.reset();
}

// A connection that takes no more requests is replaced when all that it owes has come.
bool Http2Users::has_room() {
  if (!connection_) return true;
  if (connection_->usable() && under_way_.size() < connection_->stream_limit()) return true;
  if (!under_way_.empty()) return false;
  connection_.reset();
  return true;
}

Http2Users::User* Http2Users::next_user() {
  if (!again_.empty()) return &again_.pop_front();
  if (free_.empty()) return nullptr;
  if (!arrival_ && !arrivals_over_) {
    arrival_ = shared_.arrivals.next();
    arrivals_over_ = !arrival_;
  }
  if (!arrival_ || (shared_.arrivals.open_loop() && *arrival_ > time_)) return nullptr;
  User& user = free_.pop_front();
  user.start = *arrival_;
  user.plan.assign(1, user.values.pick());
  user.attempts = 0;
  arrival_.reset();
  return &user;
}

void Http2Users::launch(User& user) {
  while (const auto giver = user.values.missing(user.plan.back())) user.plan.push_back(*giver);
  user.counted = (user.planned() ? user.start : time_) >= shared_.measure_from;
  if (connection_ || connect(user)) submit(user, user.plan.back());
}

// False: the user's request has failed with it.
bool Http2Users::connect(User& user) try {
  under_way_.push_back(user);  // if the run ends meanwhile
  if (std::exchange(barren_, true)) degu::sleep(kRefusedPause);
  const TimePoint deadline = after_delay(now(), shared_.options.timeout);
  const Target& target = shared_.options.target;
  net::TcpStream stream = net::TcpStream::connect(target.host_port, {.deadline = deadline});
  if (shared_.tls != nullptr) {
    stream = shared_.tls->wrap(std::move(stream), target.host);
    net::tls_handshake(stream, deadline);
    const auto agreed = net::tls_info(stream);
    if (!agreed || agreed->alpn != "h2")
      throw Error(Code::kUnavailable, "the server does not speak HTTP/2 (ALPN)");
  }
  Http2Connection::Owner& owner = *this;
  connection_ = std::make_unique<Http2Connection>(std::move(stream), owner);
  connection_->open(deadline);
  shared_.recorder.allowed_streams(connection_->stream_limit());
  under_way_.remove(user);
  time_ = now();
  return true;
} catch (const Error& error) {
  if (current_context().done()) throw Cancelled();
  connection_.reset();
  under_way_.remove(user);
  fail(user, ErrorKind::kConnect, error.message());
  return false;
}

void Http2Users::submit(User& user, std::size_t request) {
  const ScenarioRequest& what = shared_.scenario.requests()[request];
  const RequestFields* fields = &what.request.fixed_fields();
  user.body = fields->body;
  if (!what.request.needs().empty()) {
    what.request.render(user.values.draw(request), rendered_);
    fields = &rendered_;
    user.own_body.swap(rendered_.body);
    user.body = user.own_body;
  }
  user.own_answer.clear();
  user.answer = what.gives.empty() ? nullptr : &user.own_answer;
  user.sent = time_;
  user.deadline = after_delay(time_, shared_.options.timeout);
  connection_->submit(user, *fields);
  under_way_.push_back(user);
}

// --- What comes

void Http2Users::transfer() {
  const bool measured = time_ >= shared_.measure_from;
  const std::size_t under_way = under_way_.size();
  const net::IoResult sent = connection_->flush(under_way_.empty() ? kNever : under_way_.front().deadline);
  if (measured) shared_.recorder.transferred(0, sent.bytes);
  // A server that has closed the connection may have said before what it has not processed.
  if (sent.error == EPIPE || sent.error == ECONNRESET) {
    while (connection_->receive(time_).bytes != 0) {
    }
  }
  if (sent.error != 0 || connection_->over()) return lost(sent.error);
  if (under_way_.size() != under_way) return;  // a malformed answer has ended: somebody may be free
  const net::IoResult got = connection_->receive(next_event());
  if (measured) shared_.recorder.transferred(got.bytes, 0);
  if (got.bytes == 0 && got.error != ETIMEDOUT) lost(got.error);
}

// When there is something to do even if nothing comes.
TimePoint Http2Users::next_event() {
  TimePoint next = under_way_.empty() ? kNever : under_way_.front().deadline;
  if (!thinking_.empty()) next = std::min(next, thinking_.front().first);
  const bool room =
      !connection_ || (connection_->usable() && under_way_.size() < connection_->stream_limit());
  if (arrival_ && room) next = std::min(next, *arrival_);
  return next;
}

void Http2Users::expire() {
  while (!under_way_.empty() && under_way_.front().deadline <= time_) {
    User& user = under_way_.pop_front();
    connection_->cancel(user);
    fail(user, ErrorKind::kTimeout, "no answer in time");
  }
}

void Http2Users::wake() {
  while (!thinking_.empty() && thinking_.front().first <= time_) {
    free_.push_back(*thinking_.front().second);
    std::pop_heap(thinking_.begin(), thinking_.end(), std::greater<>());
    thinking_.pop_back();
  }
}

// The connection is of no use any more; `error` is an errno, 0: it was closed, or it is against the rules.
void Http2Users::lost(int error) {
  if (error == ECANCELED && current_context().done()) throw Cancelled();
  ErrorKind kind = ErrorKind::kReset;
  std::string why = error == 0 ? "the server closed the connection before its answers were whole"
                               : std::generic_category().message(error);
  std::string cause;
  if (!connection_->error().empty()) {
    kind = ErrorKind::kParse;
    why = connection_->error();
  } else if (const auto code = connection_->goaway()) {
    cause = fmt::format("GOAWAY {}", http2_code_name(*code));
    why = "the server ended the connection: " + cause;
  } else if (error == ETIMEDOUT) {
    kind = ErrorKind::kTimeout;
    why = "the server took no request in time";
  }
  connection_.reset();
  List left = std::exchange(under_way_, {});
  while (!left.empty()) fail(left.pop_front(), kind, why, cause);
}

void Http2Users::ended(Http2Exchange& exchange, Http2End end) {
  User& user = static_cast<User&>(exchange);
  under_way_.remove(user);
  switch (end) {
    case Http2End::kAnswered:
      return answered(user);
    case Http2End::kUnprocessed:
      return unprocessed(user);
    case Http2End::kMalformed:
      return fail(user, ErrorKind::kParse, connection_->complaint());
    case Http2End::kReset: {
      const std::string cause = fmt::format("RST_STREAM {}", http2_code_name(user.reset_code));
      return fail(user, ErrorKind::kReset, "the server ended the stream: " + cause, cause);
    }
  }
}

void Http2Users::answered(User& user) {
  barren_ = false;
  const std::size_t request = user.plan.back();
  const TimePoint done = connection_->received_at();
  // Only in the open loop is there a plan that a request can be late for.
  const TimePoint intended = shared_.arrivals.open_loop() && user.planned() ? user.start : user.sent;
  if (user.counted) shared_.recorder.response(request, user.status, done - intended, done - user.sent);
  if (user.answer != nullptr)
    user.values.take(request, user.own_answer, user.counted ? &shared_.recorder : nullptr);
  request_over(user);
}

void Http2Users::unprocessed(User& user) {
  if (++user.attempts < kMaxAttempts) return again_.push_back(user);
  const std::string cause = fmt::format("GOAWAY {}", http2_code_name(*connection_->goaway()));
  fail(user, ErrorKind::kReset, fmt::format("not processed {} times: {}", kMaxAttempts, cause), cause);
}

void Http2Users::fail(User& user, ErrorKind kind, std::string_view why, std::string_view cause) {
  if (user.counted) shared_.recorder.failure(user.plan.back(), kind, why, cause);
  request_over(user);
}

// What waited for it goes on, if it has got what it waited for.
void Http2Users::request_over(User& user) {
  const std::size_t request = user.plan.back();
  const std::size_t first = user.plan.front();
  user.plan.pop_back();
  user.attempts = 0;
  if (!user.plan.empty() && user.values.missing(user.plan.back()) != request) return again_.push_back(user);
  const auto think = shared_.scenario.requests()[first].think;
  if (think.count() == 0) return free_.push_back(user);
  thinking_.emplace_back(now() + think, &user);
  std::push_heap(thinking_.begin(), thinking_.end(), std::greater<>());
}

}  // namespace degu::bench
