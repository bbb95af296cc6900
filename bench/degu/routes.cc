// Routing the routes of $BENCH_ROUTES ("METHOD PATH" lines), each once a round, through a handler that does nothing. Twin of
// bench/go/routes.go.
#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/memory_sink.h>
#include <degu/http/request_parser.h>
#include <degu/http/router.h>
#include <degu/rt/run.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "report.h"

namespace {

std::atomic<long> allocations{0};

}  // namespace

void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using degu::http::Exchange;

struct Request {
  std::string text;
  degu::http::RequestParser parser = degu::http::RequestParser();
};

void all_once(const degu::http::internal::RouteTable& table, std::vector<Request>& requests,
              Exchange::State& state) {
  for (Request& request : requests) {
    state.head = &request.parser.head();
    degu::http::internal::find_route(table, state);
    degu::http::internal::run_exchange(state);
    state.reset();
  }
}

}  // namespace

int main() {
  return degu::run([] {
    const char* const path = std::getenv("BENCH_ROUTES");
    std::ifstream lines(path == nullptr ? "" : path);
    degu::http::Router router;
    std::vector<Request> requests;
    for (std::string method, pattern; lines >> method >> pattern;) {
      router.handle(method, pattern, [](Exchange& c) { c.status(200); });
      requests.push_back({method + " " + pattern + " HTTP/1.1\r\nHost: a\r\n\r\n"});
    }
    for (Request& request : requests) request.parser.parse(request.text);
    degu::http::internal::MemorySink sink;
    Exchange::State state;
    state.sink = &sink;
    const auto& table = *router.table();
    all_once(table, requests, state);
    const long before = allocations.load();
    const int rounds = bench::scaled(50'000);
    const bench::Stopwatch clock;
    for (int i = 0; i < rounds; ++i) all_once(table, requests, state);
    bench::report("routes_github_all", clock.per(rounds), "ns/round");
    bench::report("routes_github_allocations", static_cast<double>(allocations.load() - before) / rounds,
                  "/round");
    bench::report("routes_github_count", static_cast<double>(requests.size()), "routes");
  });
}
