#include <degu/degu.h>
#include <degu/http/http.h>
#include <degu/net/signal.h>
#include <degu/net/tcp.h>

#include <boost/describe.hpp>

namespace http = degu::http;

struct Note {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Note, (), (text))

int main() {
  return degu::run([] {
    degu::Mutex mutex;
    std::vector<Note> notes;
    http::Router router;
    router.use(http::access_log());
    router.use(http::recovery());  // exceptions become RFC 9457 problem documents
    auto api = router.group("/api/v1");
    api.use(http::timeout(std::chrono::milliseconds(500)));  // for everything a handler waits for
    api.post("/notes", [&](http::Exchange& c) {
      auto note = c.bind<Note>();  // every faulty field at once in one 400
      const std::lock_guard lock(mutex);
      c.json(201, notes.emplace_back(std::move(note)));
    });
    api.get("/notes", [&](http::Exchange& c) {
      const std::lock_guard lock(mutex);
      c.json(200, notes);
    });
    http::Server server(router);
    degu::go([&] {
      degu::net::SignalSet({SIGINT, SIGTERM}).wait();
      server.shutdown(std::chrono::seconds(5));  // requests in flight are answered
    });
    auto listener = degu::net::TcpListener::listen("127.0.0.1:8080");
    server.serve(listener);
  });
}
