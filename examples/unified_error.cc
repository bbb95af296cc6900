// One error type with a code, a message, details and a cause. It is an exception inside and a problem
// document (RFC 9457) for the client; the cause stays inside.
#include <degu/degu.h>
#include <degu/http/http.h>
#include <degu/net/tcp.h>
#include <fmt/core.h>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
namespace http = degu::http;

// Stands for a driver with exceptions of its own.
std::string query_database(int id) { throw std::out_of_range(fmt::format("row {} of 3", id)); }

std::string find_user(int id) {
  try {
    return query_database(id);
  } catch (const std::out_of_range&) {
    throw degu::Error(degu::Code::kNotFound, fmt::format("no user {}", id))
        .with_cause(std::current_exception());
  }
}

// The whole chain: the error, then what caused it.
void print_chain(const std::exception& error) {
  fmt::print("{}\n", error.what());
  const auto* ours = dynamic_cast<const degu::Error*>(&error);
  if (ours == nullptr || !ours->cause()) return;
  try {
    std::rethrow_exception(ours->cause());
  } catch (const std::exception& cause) {
    fmt::print("  because: ");
    print_chain(cause);
  }
}

int main() {
  return degu::run([] {
    try {
      find_user(17);
    } catch (const degu::Error& error) {
      print_chain(error);
      fmt::print("as HTTP: {}\n", http_status(error.code()));
    }

    http::Router router;
    router.use(http::recovery());
    router.get("/users/:id", [](http::Exchange& c) { c.text(200, find_user(17)); });
    http::Server server(router);
    auto listener = degu::net::TcpListener::listen("127.0.0.1:0");
    degu::WaitGroup serving;
    serving.go([&] { server.serve(listener); });
    const auto answer = http::Client().get("http://" + listener.address() + "/users/17");
    fmt::print("{} {}\n{}\n", answer.status, answer.header("content-type"), answer.body);
    server.shutdown(5s);
    serving.wait();
  });
}
