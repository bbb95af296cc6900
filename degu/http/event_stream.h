// EventStream: server-sent events, which browsers read with EventSource (WHATWG HTML section 9.2).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

namespace degu::http {

class Exchange;

/// What a page is told. Text is UTF-8; browsers read anything else as U+FFFD.
struct Event {
  std::string_view data;        ///< of any number of lines; browsers see "\n" for "\r\n" and "\r" too
  std::string_view event = {};  ///< its type; empty: "message"
  /// What the page sends as Last-Event-ID when it connects again; an empty one makes it send none.
  std::optional<std::string_view> id = std::nullopt;
  /// How long the page waits before it connects again.
  std::optional<std::chrono::milliseconds> retry = std::nullopt;
};

struct EventStreamOptions {
  /// A comment is sent when nothing else was for that long: proxies keep the connection, and a client that is gone is
  /// noticed. Not positive: none.
  std::chrono::nanoseconds heartbeat = std::chrono::seconds(15);
  /// A shutdown ends the handler's context when it begins, and the stream in good order: pages connect again, to another
  /// server. False: the handler looks at Exchange::draining() and has until the end of the drain.
  bool ends_at_drain = true;
};

/// The response of a handler that goes on for as long as there is something to tell. Lives in the handler; while it does,
/// the current context is its own, which ends with the client, and by default when the server begins to shut down: waits
/// then throw Cancelled, which need not be caught.
///
///   router.get("/prices", [&](degu::http::Exchange& c) {
///     degu::http::EventStream events = degu::http::event_stream(c);
///     auto prices = board.subscribe(events.last_event_id());
///     while (auto price = prices.recv()) events.send({.data = price->text, .id = price->id});
///   }, {.long_lived = true});
///
/// Works over HTTP/1.1 and HTTP/2. Without `long_lived` the route's and the client's timeouts end it. To a HEAD request
/// nothing is sent but the head: its context has ended from the start.
class EventStream {
 public:
  ~EventStream();
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  /// Sends an event; waits while the client does not read. Any goroutine may call it as long as the object lives. Throws
  /// Error(kInvalidArgument) for line breaks or NUL in `event` or `id` and for a negative `retry`; Error(kUnavailable)
  /// when the client is gone; Cancelled or DeadlineExceeded when the caller's or the stream's context ends.
  void send(const Event& event);
  /// Sends lines that pages do not see. Throws as send().
  void comment(std::string_view text);

  /// The id of the last event that the page has seen, or "": the request's Last-Event-ID, so written by the client.
  std::string_view last_event_id() const noexcept;

 private:
  friend EventStream event_stream(Exchange& exchange, const EventStreamOptions& options);
  EventStream(Exchange& exchange, const EventStreamOptions& options);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Answers 200 with a stream of events, and sends the head at once. Headers that the handler has set go along. Throws as
/// EventStream::send().
EventStream event_stream(Exchange& exchange, const EventStreamOptions& options = {});

}  // namespace degu::http
