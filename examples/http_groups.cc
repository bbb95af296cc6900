// Route groups with middleware, as in Gin: what a group uses surrounds its routes only.
#include <degu/degu.h>
#include <degu/http/http.h>
#include <degu/net/tcp.h>
#include <fmt/core.h>

#include <boost/describe.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
namespace http = degu::http;

struct User {
  int id = 0;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(User, (), (id, name))

const std::vector<User> kUsers = {{1, "Ada"}, {2, "Grace"}};

// Middleware is a handler that calls next().
void logger(http::Exchange& c) {
  c.next();
  fmt::print("log: {} {} -> {}\n", c.method(), c.path(), c.status());
}

void only_with_key(http::Exchange& c) {
  if (c.header("x-key") != "secret") throw degu::Error(degu::Code::kPermissionDenied, "wrong key");
  c.next();
}

http::Router make_router() {
  http::Router router;
  router.use(&logger);
  router.use(http::recovery());
  router.get("/ping", [](http::Exchange& c) { c.text(200, "pong"); });

  auto v1 = router.group("/api/v1");
  v1.get("/users", [](http::Exchange& c) { c.json(200, kUsers); });

  auto admin = v1.group("/admin");
  admin.use(&only_with_key);
  admin.del("/users/:id", [](http::Exchange& c) { c.text(200, fmt::format("deleted {}", c.param("id"))); });
  return router;
}

int main() {
  return degu::run([] {
    http::Server server(make_router());
    auto listener = degu::net::TcpListener::listen("127.0.0.1:0");
    degu::WaitGroup serving;
    serving.go([&] { server.serve(listener); });

    http::Client client;
    const std::string base = "http://" + listener.address();
    const auto show = [](const http::Response& r) {
      fmt::print("{} {}\n", r.status, r.status < 400 ? r.body : "-");
    };
    show(client.get(base + "/ping"));
    show(client.get(base + "/api/v1/users"));
    show(client.request(
        {.method = "DELETE", .url = base + "/api/v1/admin/users/2", .headers = {}, .body = {}}));
    show(client.request({.method = "DELETE",
                         .url = base + "/api/v1/admin/users/2",
                         .headers = {{"x-key", "secret"}},
                         .body = {}}));
    show(client.post(base + "/ping", "text/plain", "x"));
    server.shutdown(5s);
    serving.wait();
  });
}
