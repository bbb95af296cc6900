// Pages that are told what happens: server-sent events that go on where a page has left off, and a WebSocket, over HTTP/1.1
// and, with --tls-cert and --tls-key, over HTTP/2.
#include <degu/app/app.h>
#include <degu/degu.h>
#include <degu/http/event_stream.h>
#include <degu/http/http.h>
#include <degu/http/websocket.h>

#include <algorithm>
#include <boost/describe.hpp>
#include <charconv>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace http = degu::http;
using namespace std::chrono_literals;

constexpr std::string_view kPage = R"(<!doctype html>
<meta charset="utf-8"><link rel="icon" href="data:,"><title>Live</title>
<form id="note"><input id="text" placeholder="a note for everybody"><button>Post</button></form>
<ul id="notes"></ul>
<form id="echo"><input id="said" placeholder="a word for the echo"><button>Send</button></form>
<p id="heard"></p>
<script>
  const at = id => document.getElementById(id);
  new EventSource("/events").onmessage = event => {
    at("notes").appendChild(document.createElement("li")).textContent = event.lastEventId + ": " + event.data;
  };
  at("note").onsubmit = event => {
    event.preventDefault();
    fetch("/notes", {method: "POST", headers: {"Content-Type": "application/json"},
                     body: JSON.stringify({text: at("text").value})});
  };
  const socket = new WebSocket(location.origin.replace("http", "ws") + "/echo");
  socket.onmessage = event => at("heard").textContent = event.data;
  socket.onclose = event => at("heard").textContent = "closed: " + event.code + " " + event.reason;
  at("echo").onsubmit = event => { event.preventDefault(); socket.send(at("said").value); };
</script>
)";

struct Note {
  degu::json::Required<std::string> text;
};
BOOST_DESCRIBE_STRUCT(Note, (), (text))

// The last notes by their numbers, 1, 2, 3 ...
class Board {
 public:
  void add(std::string text) {
    const std::lock_guard lock(mutex_);
    notes_.push_back(std::move(text));
    if (notes_.size() > kKept) {
      notes_.pop_front();
      ++first_;
    }
    changed_.broadcast();
  }
  // What follows the event that a page has seen last. It says so itself: what is none of ours is the beginning.
  uint64_t next_after(std::string_view id) const {
    uint64_t seen = 0;
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), seen);
    const std::lock_guard lock(mutex_);
    const bool ours = error == std::errc() && end == id.data() + id.size() && seen < first_ + notes_.size();
    return ours ? seen + 1 : first_;
  }
  // The note of that number, or the oldest that is kept, once there is one.
  std::pair<uint64_t, std::string> wait_for(uint64_t number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return number < first_ + notes_.size(); });
    number = std::max(number, first_);
    return {number, notes_[number - first_]};
  }

 private:
  static constexpr std::size_t kKept = 1000;

  mutable degu::Mutex mutex_;  // guards the rest
  degu::Cond changed_;
  std::deque<std::string> notes_;
  uint64_t first_ = 1;
};

// [events]
// `at_most` events; then the page connects again and says which it has seen. 0: until it goes, or the server does.
void tell(http::Exchange& c, Board& board, uint64_t at_most) {
  http::EventStream events = http::event_stream(c);
  uint64_t next = board.next_after(events.last_event_id());
  for (uint64_t told = 0; at_most == 0 || told < at_most; ++told) {
    const auto [number, text] = board.wait_for(next);  // ends with the context
    events.send({.data = text, .id = std::to_string(number), .retry = 500ms});
    next = number + 1;
  }
}
// [/events]

// [echo]
void echo(http::Exchange& c) {
  const http::WebSocketOptions options{.limits = {.compression = {.enabled = true, .min_bytes = 32}}};
  http::websocket(c, options, [](http::WebSocket& socket) {
    while (const auto message = socket.recv()) {
      if (message->data == "bye") return socket.close(4000, "bye");
      socket.send(*message);
    }
  });
}
// [/echo]

struct Wanted {
  uint64_t limit = 0;
};
BOOST_DESCRIBE_STRUCT(Wanted, (), (limit))

int main(int argc, char** argv) {
  Board board;
  degu::App app({.name = "live", .data_dir = ""});
  http::Router& router = app.router();
  router.get("/", [](http::Exchange& c) { c.html(200, kPage); });
  router.post("/notes", [&](http::Exchange& c) {
    board.add(std::move(c.bind<Note>().text.value));
    c.empty(204);
  });
  router.get("/events", [&](http::Exchange& c) { tell(c, board, c.bind<Wanted>().limit); },
             {.long_lived = true});
  router.get("/echo", [](http::Exchange& c) { echo(c); }, {.long_lived = true});
  return app.run(argc, argv);
}
