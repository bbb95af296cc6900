// A deadline around an HTTP call: ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond); defer
// cancel(). Every wait below it ends with it, the server's too: the client passes on what is left of the
// time.
#include <degu/degu.h>
#include <degu/http/http.h>
#include <degu/net/tcp.h>
#include <fmt/core.h>

#include <chrono>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
namespace http = degu::http;

void call(http::Client& client, const std::string& url) {
  const auto started = std::chrono::steady_clock::now();
  std::string outcome;
  try {
    const degu::CancelScope scope(500ms);
    const auto answer = client.get(url);
    outcome = answer.status == 504 ? "no answer in time" : answer.body;
  } catch (const degu::DeadlineExceeded&) {
    outcome = "no answer in time";
  }
  const auto elapsed = std::chrono::steady_clock::now() - started;
  fmt::print("{}: {}, {}\n", url.substr(url.rfind('/')), outcome,
             elapsed < 2s ? "in time to go on" : "too late");
}

int main() {
  return degu::run([] {
    http::Router router;
    router.get("/fast", [](http::Exchange& c) { c.text(200, "hello"); });
    router.get("/slow", [](http::Exchange& c) {
      try {
        degu::sleep(60s);
      } catch (const degu::Error& error) {
        fmt::print("the server stopped working too: {}\n", to_string(error.code()));
        throw;
      }
      c.text(200, "never seen");
    });
    http::Server server(router);
    auto listener = degu::net::TcpListener::listen("127.0.0.1:0");
    degu::WaitGroup serving;
    serving.go([&] { server.serve(listener); });

    http::Client client;
    call(client, "http://" + listener.address() + "/fast");
    call(client, "http://" + listener.address() + "/slow");
    server.shutdown(5s);
    serving.wait();
  });
}
