// Who writes holds lock_: the handler, goroutines that it has lent the stream to, and the heartbeat, which is a goroutine
// that ends with the object. A write that the heartbeat cannot finish ends the context, so that a handler that waits for
// something else learns of it.
#include <degu/base/error.h>
#include <degu/context/after_func.h>
#include <degu/context/cancel_scope.h>
#include <degu/http/event_stream.h>
#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/rt/run.h>
#include <degu/sync/mutex.h>
#include <degu/sync/wait_group.h>
#include <fmt/format.h>

#include <mutex>
#include <string>

namespace degu::http {
namespace {

// Puts `name` before each line of `text`; an empty text is one line.
void append_lines(std::string& out, std::string_view name, std::string_view text) {
  for (;;) {
    const std::size_t end = text.find_first_of("\r\n");
    out.append(name).append(text.substr(0, end)).push_back('\n');
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
  }
}

void check_line(std::string_view text, std::string_view what) {
  if (text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos) return;
  throw Error(Code::kInvalidArgument, fmt::format("the {} of an event has line breaks or NUL", what));
}

std::string to_text(const Event& event) {
  check_line(event.event, "type");
  std::string text;
  if (!event.event.empty()) append_lines(text, "event: ", event.event);
  if (event.id) {
    check_line(*event.id, "id");
    append_lines(text, "id: ", *event.id);
  }
  if (event.retry) {
    if (event.retry->count() < 0) throw Error(Code::kInvalidArgument, "the retry of an event is negative");
    fmt::format_to(std::back_inserter(text), "retry: {}\n", event.retry->count());
  }
  append_lines(text, "data: ", event.data);
  return text += '\n';
}

}  // namespace

struct EventStream::Impl {
  Impl(Exchange& exchange, const EventStreamOptions& options);
  ~Impl();

  void write(std::string_view text);
  void beat(std::chrono::nanoseconds period) noexcept;

  Exchange& c;
  Exchange::State& state;
  ResponseStream* stream = nullptr;
  Mutex lock;  // guards what follows, and the stream
  TimePoint written_at{};
  bool over = false;
  CancelScope scope;
  AfterFunc at_drain;
  WaitGroup heart;
};

EventStream::Impl::Impl(Exchange& exchange, const EventStreamOptions& options)
    : c(exchange), state(internal::ExchangeAccess::state(exchange)) {
  c.set_header("Cache-Control", "no-cache");
  c.set_header("X-Accel-Buffering", "no");
  stream = &c.stream(200, "text/event-stream");
  state.ends_at_drain = options.ends_at_drain;
  if (internal::is_bodiless(state)) {
    state.ends_at_drain = true;
    stream->write({});
    scope.cancel();
    return;
  }
  write(":\n\n");  // HTTP/1.1 sends a head with its first piece
  if (options.ends_at_drain) {
    // It may run when this object is gone: it has a share of the context.
    at_drain = after_func(c.draining(),
                          [cancel = CancelFunc(Ref<rt::CancelNode>(scope.context().node()))] { cancel(); });
  }
  if (options.heartbeat.count() > 0) heart.go([this, period = options.heartbeat] { beat(period); });
}

// A write under way has its time to end, so that it is not half a piece that is sent.
EventStream::Impl::~Impl() {
  lock.lock();
  over = true;
  lock.unlock();
  at_drain.stop();
  scope.cancel();
}

void EventStream::Impl::write(std::string_view text) {
  if (!lock.try_lock_until(kNever)) return;  // as lock(), but the end of the context ends it
  const std::lock_guard guard(lock, std::adopt_lock);
  scope.context().check();
  if (state.broken) throw Error(Code::kUnavailable, "the client has closed the connection");
  stream->write(text);
  written_at = now();
}

void EventStream::Impl::beat(std::chrono::nanoseconds period) noexcept {
  try {
    for (;;) {
      lock.lock();
      const TimePoint due = after_delay(written_at, period);
      const bool ends = over;
      lock.unlock();
      if (ends) return;
      if (const TimePoint time = now(); time < due) {
        sleep(due - time);
      } else {
        write(":\n\n");
      }
    }
  } catch (...) {
    scope.cancel();
  }
}

EventStream::EventStream(Exchange& exchange, const EventStreamOptions& options)
    : impl_(std::make_unique<Impl>(exchange, options)) {}

EventStream::~EventStream() = default;

void EventStream::send(const Event& event) { impl_->write(to_text(event)); }

void EventStream::comment(std::string_view text) {
  std::string lines;
  append_lines(lines, ": ", text);
  impl_->write(lines += '\n');
}

std::string_view EventStream::last_event_id() const noexcept { return impl_->c.header("last-event-id"); }

EventStream event_stream(Exchange& exchange, const EventStreamOptions& options) {
  return {exchange, options};
}

}  // namespace degu::http
