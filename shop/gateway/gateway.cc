#include <degu/base/error.h>
#include <degu/http/compress.h>
#include <degu/http/csrf.h>
#include <degu/http/openapi.h>
#include <degu/http/secure_headers.h>
#include <degu/http/static_files.h>
#include <degu/rpc/rest.h>
#include <shop/catalog/picture.h>
#include <shop/embedded.h>
#include <shop/gateway/authenticator.h>
#include <shop/gateway/gateway.h>
#include <shop/gateway/order_events.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shop {
std::span<const EmbeddedFile> web_files();
}

namespace shop::gateway {
namespace {

using degu::http::Exchange;
using degu::http::RouterGroup;
using degu::http::StaticFile;

// The pages take scripts, styles, pictures and data from here only, and nothing inline.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'";

// Paths of pages; web/js/main.js has the same list. All are the one document, whose script shows the page.
constexpr std::string_view kPages[] = {"/",         "/products/:id", "/cart",       "/checkout",     "/login",
                                       "/register", "/orders",       "/orders/:id", "/notifications"};

degu::http::Handler secure_page() {
  return degu::http::secure_headers({.content_security_policy = kPolicy, .referrer_policy = "same-origin"});
}

// RFC 9110 §11.6.1: a 401 says which scheme would do.
void name_scheme(Exchange& c) {
  try {
    c.next();
  } catch (const degu::Error& error) {
    if (error.code() != degu::Code::kUnauthenticated) throw;
    c.problem(error);
    c.set_header("WWW-Authenticate", "Bearer realm=\"shop\"");
  }
}

std::vector<StaticFile> web_files_in(std::string_view folder) {
  std::vector<StaticFile> files;
  for (const EmbeddedFile& file : web_files()) {
    if (file.path.starts_with(folder)) {
      files.push_back({std::string(file.path.substr(folder.size())), std::string(file.content)});
    }
  }
  return files;
}

// For a path without a rest parameter: always that file.
degu::http::Handler serve_file(std::string_view name) {
  std::vector<StaticFile> files = {{std::string(name), web_files_in(name).at(0).content}};
  return degu::http::static_files(std::move(files), {.index = std::string(name), .precompress = true});
}

std::vector<StaticFile> pictures() {
  std::vector<StaticFile> files;
  for (catalog::Picture& picture : catalog::builtin_pictures()) {
    files.push_back({std::move(picture.name), std::move(picture.svg)});
  }
  return files;
}

void mount_services(const degu::http::Router& router, const Services& services, const Budgets& budgets) {
  RouterGroup api = router.group("");
  api.use(&name_scheme);
  const auto authenticator = make_bearer_authenticator(services.users);
  const auto within = [&](std::chrono::nanoseconds budget) {
    return degu::rpc::RestOptions{.authenticator = authenticator, .route = {.timeout = budget}};
  };
  user::v1::mount(api, services.users, within(budgets.passwords));
  RouterGroup lists = api.group("");
  lists.use(degu::http::compress());  // not the others: they answer with tokens and cards
  catalog::v1::mount(lists, services.catalog, within(budgets.reads));
  inventory::v1::mount(api, services.inventory, within(budgets.reads));
  order::v1::mount(api, services.orders, within(budgets.orders));
  mount_order_events(api, services.orders, make_events_authenticator(services.users));
  order::v1::mount(api, services.carts, within(budgets.writes));
  notification::v1::mount(api, services.notifications, within(budgets.writes));
}

void mount_web(const degu::http::Router& router) {
  RouterGroup web = router.group("");
  web.use(secure_page());
  for (const std::string_view page : kPages) web.get(page, serve_file("index.html"));
  web.get("/favicon.svg", serve_file("favicon.svg"));
  for (const std::string_view folder : {"css/", "js/", "icons/"}) {
    web.get("/" + std::string(folder) + "*path",
            degu::http::static_files(web_files_in(folder), {.precompress = true}));
  }
  web.get("/images/*path", degu::http::static_files(
                               pictures(), {.cache_control = "public, max-age=3600", .precompress = true}));
}

// For people who mistype: the shop's own page instead of a problem document.
degu::http::Handler page_not_found() {
  auto page = std::make_shared<const std::string>(web_files_in("index.html").at(0).content);
  return [page = std::move(page), secure = secure_page()](Exchange& c) {
    const bool lost = c.route().empty() && c.method() == "GET" && !c.path().starts_with("/api/") &&
                      c.header("accept").find("text/html") != std::string_view::npos;
    if (!lost) return c.next();
    secure(c);
    c.raw(404, "text/html; charset=utf-8", page);
  };
}

}  // namespace

void mount(degu::http::Router& router, const Services& services, const Budgets& budgets) {
  router.use(degu::http::csrf());
  router.use(page_not_found());
  router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
  mount_services(router, services, budgets);
  mount_web(router);
  degu::http::serve_openapi(router,
                            {.info = {.title = "The shop", .description = "Degu's reference application."}});
}

}  // namespace shop::gateway
