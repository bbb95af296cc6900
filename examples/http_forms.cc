// A page with a form: one struct says what the handler wants, from wherever it comes; a template writes the answer.
#include <degu/degu.h>
#include <degu/http/html_template.h>
#include <degu/http/http.h>
#include <degu/http/negotiate.h>
#include <degu/http/openapi.h>
#include <degu/http/test_call.h>
#include <fmt/core.h>

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <vector>

namespace http = degu::http;
using degu::json::Required;

struct NewNote {
  Required<std::string> text;
  std::optional<http::UploadedFile> picture;
  http::FromCookie<std::string, "author"> author;
};
BOOST_DESCRIBE_STRUCT(NewNote, (), (text, picture, author))

struct Note {
  std::string text;
  std::string author;
};
BOOST_DESCRIBE_STRUCT(Note, (), (text, author))

struct Page {
  std::vector<Note> notes;
};
BOOST_DESCRIBE_STRUCT(Page, (), (notes))

const http::HtmlTemplates kPages =
    http::HtmlTemplates::compile({{"notes.html",
                                   "<ul>{{#notes}}<li title=\"by {{author}}\">{{text}}</li>{{/notes}}</ul>"
                                   "{{^notes}}<p>No notes</p>{{/notes}}"}});

http::Router make_router(Page& page) {
  http::Router router;
  router.get("/notes",
             [&page](http::Exchange& c) {
               if (http::negotiate(c, {"text/html", "application/json"}) == "application/json")
                 return c.json(200, page);
               c.html(200, kPages.render("notes.html", page));
             },
             {.operation = http::operation<void, Page>("Lists the notes")});
  router.post("/notes",
              [&page](http::Exchange& c) {
                const auto note = c.bind<NewNote>();
                page.notes.push_back({*note.text, *note.author});
                http::set_cookie(c, {.name = "last", .value = std::to_string(page.notes.size())});
                const std::string_view next = c.query("next");
                c.redirect(303, http::is_local_target(next) ? next : "/notes");
              },
              {.operation = http::operation<NewNote, void>("Adds a note").status(303)});
  http::serve_openapi(router, {.info = {.title = "Notes"}});
  return router;
}

int main() {
  return degu::run([] {
    Page page;
    const http::Router router = make_router(page);
    const auto show = [](const http::Response& r) {
      fmt::print("{} {}{}\n", r.status, r.header("location"), r.body);
    };
    const std::string form = "application/x-www-form-urlencoded";
    show(http::test::call(router, "GET", "/notes"));
    show(http::test::call(router, "POST", "/notes?next=//evil.example", "text=tea+%26+salt",
                          {{"Content-Type", form}, {"Cookie", "author=ada"}}));
    show(http::test::call(router, "POST", "/notes", "txt=tea", {{"Content-Type", form}}));
    show(http::test::call(router, "GET", "/notes"));
    show(http::test::call(router, "GET", "/notes", {}, {{"Accept", "application/json"}}));
    fmt::print("{} bytes of OpenAPI\n", http::test::call(router, "GET", "/openapi.json").body.size());
  });
}
