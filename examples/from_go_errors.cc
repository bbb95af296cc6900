// The idioms of docs/from-go.md about errors, clean-up and HTTP.
#include <degu/degu.h>
#include <degu/http/http.h>
#include <degu/net/tcp.h>
#include <fmt/core.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
namespace http = degu::http;

namespace {

// [raii]
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

char first_char(const char* path) {
  const File file(std::fopen(path, "r"));  // closed on every way out
  if (file == nullptr) throw degu::Error(degu::Code::kNotFound, fmt::format("no file {}", path));
  return static_cast<char>(std::fgetc(file.get()));
}
// [/raii]

// [wrap]
class NoRows : public std::runtime_error {
 public:
  NoRows() : std::runtime_error("no rows") {}
};

void query() { throw NoRows(); }

void find_user(int id) {
  try {
    query();
  } catch (const NoRows&) {
    throw degu::Error(degu::Code::kNotFound, fmt::format("no user {}", id))
        .with_cause(std::current_exception());
  }
}
// [/wrap]

void handle() {
  std::string reply;
  // [is-as]
  try {
    find_user(17);
  } catch (const degu::Error& error) {            // errors.As(err, &e)
    if (error.code() == degu::Code::kNotFound) {  // errors.Is(err, ErrNotFound)
      reply = error.what();
    } else {
      throw;  // return err
    }
  }
  // [/is-as]
  fmt::print("errors: {}\n", reply);
}

// [cause]
template <class E>
bool caused_by(const std::exception_ptr& error) {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const E&) {
    return true;
  } catch (const degu::Error& outer) {
    return caused_by<E>(outer.cause());
  } catch (...) {
    return false;
  }
}
// [/cause]

void causes() {
  try {
    find_user(17);
  } catch (...) {
    fmt::print("cause: {}\n", caused_by<NoRows>(std::current_exception()));
  }
}

void recover() {
  degu::WaitGroup wg;
  // [recover]
  wg.go([] {
    try {
      throw std::logic_error("broken");  // panic
    } catch (const std::exception& error) {
      fmt::print("recovered: {}\n", error.what());
    }
  });
  // [/recover]
  wg.wait();
}

void serve() {
  // [http]
  http::Router router;
  router.use(http::recovery());
  router.get("/hello/:name",
             [](http::Exchange& c) { c.text(200, fmt::format("hello {}", c.param("name"))); });
  http::Server server(router);
  auto listener = degu::net::TcpListener::listen("127.0.0.1:0");
  degu::WaitGroup serving;
  serving.go([&] { server.serve(listener); });

  const auto answer = http::Client().get("http://" + listener.address() + "/hello/ada");
  fmt::print("http: {} {}\n", answer.status, answer.body);
  server.shutdown(5s);
  serving.wait();
  // [/http]
}

}  // namespace

int main() {
  return degu::run([] {
    try {
      first_char("/nonexistent");
    } catch (const degu::Error& error) {
      fmt::print("raii: {}\n", error.what());
    }
    handle();
    causes();
    recover();
    serve();
  });
}
