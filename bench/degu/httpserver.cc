// Two routes, as bench/go/httpserver_gin.go serves them: recovery only, nothing cached. usage: httpserver
// [ADDRESS]
#include <degu/degu.h>
#include <degu/http/http.h>
#include <degu/net/signal.h>
#include <degu/net/tcp.h>

#include <boost/describe.hpp>
#include <chrono>
#include <csignal>
#include <string>
#include <vector>

namespace {

struct User {
  int id = 0;
  std::string name;
  std::string email;
  int age = 0;
  bool active = false;
  std::string created_at;
};
BOOST_DESCRIBE_STRUCT(User, (), (id, name, email, age, active, created_at))

const std::vector<User> kUsers = {
    {1, "Alice Adams", "alice@example.com", 31, true, "2024-01-01T08:00:00Z"},
    {2, "Bob Brown", "bob@example.com", 42, true, "2024-01-02T08:00:00Z"},
    {3, "Carol Clark", "carol@example.com", 23, false, "2024-01-03T08:00:00Z"},
    {4, "Dave Davis", "dave@example.com", 54, true, "2024-01-04T08:00:00Z"},
    {5, "Erin Evans", "erin@example.com", 35, true, "2024-01-05T08:00:00Z"},
    {6, "Frank Foster", "frank@example.com", 26, false, "2024-01-06T08:00:00Z"},
    {7, "Grace Green", "grace@example.com", 37, true, "2024-01-07T08:00:00Z"},
    {8, "Heidi Hill", "heidi@example.com", 48, true, "2024-01-08T08:00:00Z"},
    {9, "Ivan Irving", "ivan@example.com", 29, false, "2024-01-09T08:00:00Z"},
    {10, "Judy Jones", "judy@example.com", 40, true, "2024-01-10T08:00:00Z"},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string address = argc > 1 ? argv[1] : "127.0.0.1:18082";
  return degu::run([&] {
    degu::http::Router router;
    router.use(degu::http::recovery());
    router.get("/ping", [](degu::http::Exchange& c) { c.text(200, "pong"); });
    router.get("/api/v1/users", [](degu::http::Exchange& c) { c.json(200, kUsers); });

    degu::http::ServerOptions options;
    options.max_connections = 20'000;
    degu::http::Server server(std::move(router), options);
    auto listener = degu::net::TcpListener::listen(address);
    degu::go([&server] {
      degu::net::SignalSet({SIGINT, SIGTERM}).wait();
      server.shutdown(std::chrono::seconds(5));
    });
    server.serve(listener);
  });
}
