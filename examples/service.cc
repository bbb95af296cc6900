#include <degu/app/app.h>
#include <degu/degu.h>
#include <degu/http/http.h>

#include <boost/describe.hpp>

namespace http = degu::http;
using namespace std::chrono_literals;

struct Note {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Note, (), (text))

int main(int argc, char** argv) {
  degu::Mutex mutex;
  std::vector<Note> notes;
  degu::App app({.name = "notes", .data_dir = ""});
  auto api = app.router().group("/api/v1");
  api.use(http::timeout(500ms));  // for everything that a handler waits for
  api.post("/notes", [&](http::Exchange& c) {
    auto note = c.bind<Note>();  // throws all faults at once: the client gets a problem document
    const std::lock_guard lock(mutex);
    c.json(201, notes.emplace_back(std::move(note)));
  });
  api.get("/notes", [&](http::Exchange& c) {
    const std::lock_guard lock(mutex);
    c.json(200, notes);
  });
  return app.run(argc, argv);  // --port, --drain, health, access log, orderly end on Ctrl-C
}
